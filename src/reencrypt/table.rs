//! Tables as the catalogue describes them, and as the task works on them.

use super::row::KeyValue;
use crate::column::Form;
use crate::target::TableName;

/// A table that the task can walk and write.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    pub(super) name: TableName,
    pub(super) row_key: Vec<KeyColumn>,
    /// The index of the row key, where the database has to be told to use it.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) index: Option<String>,
    pub(super) columns: Vec<PlannedColumn>,
    /// Columns that the database would change by itself on any update of the row, and that must be told not to.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) keep: Vec<String>,
    /// An estimate, where the database has one.
    pub(super) rows: Option<u64>,
}

/// An encrypted column.
#[derive(Debug, Clone)]
pub struct PlannedColumn {
    pub(super) name: String,
    pub(super) is_text: bool,
    /// Whether what looks like a token, and opens under no key, is the application's plaintext: the operator says so.
    pub(super) token_like_plaintext: bool,
    pub(super) room: Room,
}

/// How much a column can hold.
#[derive(Debug, Clone)]
pub(super) struct Room {
    /// See [`CatalogueColumn`].
    pub(super) limit: Option<u64>,
    pub(super) is_padded: bool,
    /// The type in the database's words, for messages.
    pub(super) type_name: String,
}

/// A column of the row key.
#[derive(Debug, Clone)]
pub struct KeyColumn {
    pub(super) name: String,
    /// The type that a parameter is cast to, and the reason to read the column in its text form.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code))]
    pub(super) cast: Option<String>,
    /// Whether the column holds text, whatever the driver takes it for.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) is_text: bool,
}

/// What the catalogue knows of a table.
pub struct Catalogue {
    /// The name with the schema in which the table was found.
    pub(crate) name: TableName,
    /// Why the task cannot work on this table at all: a view, row-level security.
    pub(crate) obstacle: Option<String>,
    pub(crate) columns: Vec<CatalogueColumn>,
    /// Empty if no key identifies a row.
    pub(super) row_key: Vec<KeyColumn>,
    pub(super) index: Option<String>,
    pub(super) rows: Option<u64>,
}

/// What the catalogue knows of a column.
pub(crate) struct CatalogueColumn {
    pub(crate) name: String,
    /// The type in the database's words, for messages.
    pub(crate) type_name: String,
    /// `None` for types that do not hold tokens.
    pub(crate) form: Option<Form>,
    /// The longest value: characters of a text, bytes otherwise. `None` if there is no limit that a token could reach.
    pub(crate) limit: Option<u64>,
    /// Whether the database fills values up to this length: they come back with more behind them, or with less.
    pub(crate) is_padded: bool,
    pub(crate) is_generated: bool,
    pub(super) changes_on_update: bool,
}

impl PlannedTable {
    /// The most rows of a statement that binds every key and, for each column, the old and the new token.
    pub(super) fn max_rows(&self, max_binds: usize) -> usize {
        (max_binds / (self.row_key.len() + 2 * self.columns.len())).max(1)
    }

    /// `public.users (id): email, phone`
    pub(super) fn describe(&self) -> String {
        let keys: Vec<&str> = self.row_key.iter().map(|column| column.name.as_str()).collect();
        let columns = self.columns.iter().map(|column| match column.token_like_plaintext {
            true => format!("{} (with token-like plaintext)", column.name),
            false => column.name.clone(),
        });
        format!("{} ({}): {}", self.name, keys.join(", "), columns.collect::<Vec<_>>().join(", "))
    }

    /// A row key for the operator's eyes: `id=7`, `tenant=1, slug=a`.
    pub(super) fn label(&self, key: &[KeyValue]) -> String {
        let pairs = self.row_key.iter().zip(key).map(|(column, value)| format!("{}={value}", column.name));
        pairs.collect::<Vec<_>>().join(", ")
    }
}
