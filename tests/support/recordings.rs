//! What other programs wrote: the data files of `tests/data/elsewhere`, made by the scripts in its folder `make`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// What one of the originals wrote and reads.
#[derive(Deserialize)]
pub struct Recording {
    pub sets: Vec<Set>,
    /// Cells that are no token, or hold what only Python reads.
    #[serde(default)]
    pub foreign: Vec<Row>,
    /// What the original makes of what this crate writes, by column.
    pub returned: BTreeMap<String, Vec<Returned>>,
}

/// Rows under the same settings.
#[derive(Deserialize)]
pub struct Set {
    pub settings: BTreeMap<String, Value>,
    /// As the original derives them, the primary first.
    pub keys: Vec<String>,
    /// Where the original has several.
    pub table: Option<String>,
    /// Where the original adapts values to another database than the one that was written.
    pub database: Option<String>,
    pub rows: Vec<Row>,
}

#[derive(Deserialize)]
pub struct Row {
    /// What the database holds.
    pub stored: BTreeMap<String, Cell>,
    /// What the original reads.
    #[serde(default)]
    pub read: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Cell {
    Bytes { hex: String },
    Text(String),
    Number(i64),
    Null,
}

#[derive(Debug, Deserialize)]
pub struct Returned {
    /// What the token holds.
    pub plaintext: String,
    /// `text` or `bytes`
    pub form: String,
    /// The exception that the original raises.
    pub refused: Option<String>,
    /// What it reads with the documented code.
    pub documented: Option<Value>,
}

impl Recording {
    pub fn of(original: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/elsewhere/{original}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }
}

impl Set {
    /// The keys as `DB_ENCRYPTION_KEYS` holds them.
    pub fn keyring(&self) -> String {
        self.keys.join(":")
    }

    /// What the original reads, row by row.
    pub fn read(&self) -> Vec<Value> {
        self.rows.iter().map(|row| Value::Object(row.read.clone())).collect()
    }
}

impl Cell {
    /// The text of a cell that has one.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => panic!("the cell holds no text"),
        }
    }
}
