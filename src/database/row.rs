//! Rows as the task reads and writes them: a row key and the cells of the encrypted columns.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::keys::Token;

/// The value of one column of a row key, in the form that the database returns and accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum KeyValue {
    Int(i64),
    UInt(u64),
    Real(#[serde(with = "bits")] f64),
    /// Text, or another type in the database's own text form.
    Text(String),
    /// Bytes, or a text of MySQL in the character set of its column.
    Bytes(Vec<u8>),
    /// A text that is not UTF-8.
    RawText(Vec<u8>),
    /// No row key is `NULL`, unless the table is damaged.
    Null,
}

/// JSON has no infinite numbers, and rounds others.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            // Escapes the text, because a stranger may have written it, and it must not control the operator's
            // terminal.
            Self::Text(value) => value.escape_debug().fmt(f),
            Self::Null => f.write_str("NULL"),
            Self::Bytes(value) | Self::RawText(value) => {
                f.write_str("0x")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The value of a column in one row. It has no `Debug` on purpose, because it may be plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    pub(crate) bytes: Vec<u8>,
    /// Whether the database holds text here and not bytes. On SQLite that is a property of the value.
    pub(crate) is_text: bool,
    /// Whether the database holds a number here, which the bytes show as text. SQLite stores one in any column.
    pub(crate) is_number: bool,
}

impl Cell {
    pub(crate) fn new(bytes: Vec<u8>, is_text: bool) -> Self {
        Self { bytes, is_text, is_number: false }
    }

    /// Whether the token in it has the text form. A binary column may hold either form.
    pub(crate) fn holds_text(&self) -> bool {
        self.bytes.first().is_some_and(u8::is_ascii)
    }
}

impl Drop for Cell {
    /// Zeroes plaintext. A token is not secret.
    fn drop(&mut self) {
        if !Token::looks_like_one(&self.bytes) {
            self.bytes.zeroize();
        }
    }
}

pub(crate) struct Row {
    pub(crate) key: Vec<KeyValue>,
    /// Whether the database itself, asked again, finds the row behind the beginning of its page.
    pub(crate) is_behind: bool,
    /// One cell for each encrypted column, in the order of the plan; `None` is `NULL`.
    pub(crate) cells: Vec<Option<Cell>>,
    /// The positions of the columns in which plaintext is right, by the condition that the operator has declared.
    pub(crate) exempt: Vec<usize>,
}

impl Row {
    pub(crate) fn is_exempt(&self, column: usize) -> bool {
        self.exempt.contains(&column)
    }
}

/// One row to write: the swap for each encrypted column, or `None` to leave the column unchanged.
#[derive(Clone)]
pub struct Change {
    pub(crate) key: Vec<KeyValue>,
    pub(crate) swaps: Vec<Option<Swap>>,
}

/// The old value, which must still be there byte for byte, and the new value.
#[derive(Clone)]
pub(crate) struct Swap {
    pub(crate) old: Cell,
    pub(crate) new: Cell,
    /// The number of values that differ: in an array, every element is one.
    pub(crate) values: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_every_value() {
        let numbers = [0.1, -0.0, 0.300_000_000_000_000_04, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY];
        let values = numbers.map(KeyValue::Real).into_iter().chain([
            KeyValue::Int(i64::MIN),
            KeyValue::UInt(u64::MAX),
            KeyValue::Text("\u{fffd}\0".into()),
            KeyValue::RawText(vec![0xe9]),
        ]);
        for value in values {
            let record = serde_json::to_string(&value).unwrap();
            let read: KeyValue = serde_json::from_str(&record).unwrap();
            assert_eq!(read, value, "{record}");
        }
    }

    #[test]
    fn labels() {
        let shown = |value: KeyValue| value.to_string();
        assert_eq!(shown(KeyValue::Text("a\u{1b}".into())), "a\\u{1b}");
        assert_eq!([shown(KeyValue::RawText(vec![0xe9])), shown(KeyValue::Null)], ["0xe9", "NULL"]);
    }
}
