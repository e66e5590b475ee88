//! Tables as the task works on them.

use crate::database::catalogue::KeyColumn;
use crate::database::row::KeyValue;
use crate::targets::TableName;

/// A table that the task can walk and write.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    pub(crate) name: TableName,
    pub(crate) row_key: Vec<KeyColumn>,
    /// The index of the row key, where the database has to be told to use it.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(crate) index: Option<String>,
    pub(crate) columns: Vec<PlannedColumn>,
    /// Columns that the database would change by itself on any update of the row, and that must be told not to.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(crate) keep: Vec<String>,
    /// An estimate, where the database has one.
    pub(crate) rows: Option<u64>,
}

/// An encrypted column.
#[derive(Debug, Clone)]
pub struct PlannedColumn {
    pub(crate) name: String,
    pub(crate) is_text: bool,
    /// Whether what looks like a token, and opens under no key, is the application's plaintext: the operator says so.
    pub(crate) token_like_plaintext: bool,
    pub(crate) room: Room,
}

/// How much a column can hold.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// See [`CatalogueColumn`](crate::database::catalogue::CatalogueColumn).
    pub(crate) limit: Option<u64>,
    pub(crate) is_padded: bool,
    /// The type in the database's words, for messages.
    pub(crate) type_name: String,
}

impl PlannedTable {
    /// The most rows of a statement that binds every key and, for each column, the old and the new token.
    pub(crate) fn max_rows(&self, max_binds: usize) -> usize {
        (max_binds / (self.row_key.len() + 2 * self.columns.len())).max(1)
    }

    /// `public.users (id): email, phone`
    pub(crate) fn describe(&self) -> String {
        let keys: Vec<&str> = self.row_key.iter().map(|column| column.name.as_str()).collect();
        let columns = self.columns.iter().map(|column| match column.token_like_plaintext {
            true => format!("{} (with token-like plaintext)", column.name),
            false => column.name.clone(),
        });
        format!("{} ({}): {}", self.name, keys.join(", "), columns.collect::<Vec<_>>().join(", "))
    }

    /// A row key for the operator's eyes: `id=7`, `tenant=1, slug=a`.
    pub(crate) fn label(&self, key: &[KeyValue]) -> String {
        let pairs = self.row_key.iter().zip(key).map(|(column, value)| format!("{}={value}", column.name));
        pairs.collect::<Vec<_>>().join(", ")
    }
}
