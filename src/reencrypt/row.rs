//! Rows as the task reads them: a row key and the cells of the encrypted columns.

use std::fmt;

use diesel::backend::Backend;
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{Field, NamedRow};

use super::dialect::Dialect;

/// The value of one column of a row key, as the database hands it out and takes it back.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyValue {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A floating point number.
    Real(f64),
    /// Text, or another type in the database's own text form.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            // Escaped: what a stranger put into a key must not steer the operator's terminal.
            Self::Text(value) => value.escape_debug().fmt(f),
            Self::Bytes(value) => {
                f.write_str("0x")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// What a column holds in one row. `Debug` is left out on purpose: it may be plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    pub(super) bytes: Vec<u8>,
    /// Whether the database holds text here and not bytes. On SQLite that is a property of the value.
    pub(super) is_text: bool,
}

impl Cell {
    /// Whether the token in it is text; a column of bytes may hold either form.
    pub(super) fn holds_text(&self) -> bool {
        self.bytes.first().is_some_and(u8::is_ascii)
    }
}

/// One row of a page.
pub(super) struct Row {
    pub(super) key: Vec<KeyValue>,
    /// One for each encrypted column, in the order of the plan; `None` is `NULL`.
    pub(super) cells: Vec<Option<Cell>>,
}

/// The name that a page gives to the columns of the row key; the others are cells.
pub(super) const KEY_ALIAS: &str = "k";
/// The name that a page gives to encrypted columns.
pub(super) const CELL_ALIAS: &str = "c";

impl<DB: Backend + Dialect> QueryableByName<DB> for Row {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let (mut key, mut cells) = (Vec::new(), Vec::new());
        for index in 0..row.field_count() {
            let Some(field) = diesel::row::Row::get(row, index) else { continue };
            if field.field_name().is_some_and(|name| name.starts_with(KEY_ALIAS)) {
                let value = field.value().ok_or("a row key is NULL")?;
                key.push(DB::read_key(value)?);
            } else {
                cells.push(field.value().map(DB::read_cell).transpose()?);
            }
        }
        Ok(Self { key, cells })
    }
}
