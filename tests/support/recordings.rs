//! Reads what other programs wrote: the data files in `tests/data/elsewhere`. The scripts in its folder `make` wrote
//! them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// What one of these programs (an original) wrote, and what it reads.
#[derive(Deserialize)]
pub struct Recording {
    pub sets: Vec<Set>,
    /// Cells that are not tokens, or contain values that only Python can read.
    #[serde(default)]
    pub foreign: Vec<Row>,
    /// How the original reads tokens that this crate wrote, by column.
    pub returned: BTreeMap<String, Vec<Returned>>,
}

/// Rows that the original wrote under the same settings.
#[derive(Deserialize)]
pub struct Set {
    pub settings: BTreeMap<String, Value>,
    /// The keys that the original derives. The first one is its primary key.
    pub keys: Vec<String>,
    /// The table, if the original has several.
    pub table: Option<String>,
    /// The database, if the original adapts values to another database than the one that it wrote to.
    pub database: Option<String>,
    pub rows: Vec<Row>,
}

#[derive(Deserialize)]
pub struct Row {
    /// The values in the database.
    pub stored: BTreeMap<String, Cell>,
    /// The values that the original reads.
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
    /// The plaintext of the token.
    pub plaintext: String,
    /// `text` or `bytes`.
    pub form: String,
    /// The exception that the original raises.
    pub refused: Option<String>,
    /// The value that the original reads with the documented code.
    pub documented: Option<Value>,
}

impl Recording {
    pub fn of(original: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/elsewhere/{original}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }
}

impl Set {
    /// The keys in the form of `DB_ENCRYPTION_KEYS`.
    pub fn keyring(&self) -> String {
        self.keys.join(":")
    }

    /// The values that the original reads, row by row.
    pub fn read(&self) -> Vec<Value> {
        self.rows.iter().map(|row| Value::Object(row.read.clone())).collect()
    }
}

impl Cell {
    /// Returns the text of a text cell.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => panic!("the cell holds no text"),
        }
    }
}
