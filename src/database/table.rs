//! Tables as the catalogue describes them.

use crate::fields::column::Form;
use crate::targets::TableName;

/// A column of the row key.
#[derive(Debug, Clone)]
pub struct KeyColumn {
    pub(crate) name: String,
    /// The type that a parameter is cast to, and the reason to read the column in its text form.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code))]
    pub(crate) cast: Option<String>,
    /// Whether the column holds text, whatever the driver takes it for.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(crate) is_text: bool,
}

/// What the catalogue knows of a table.
pub struct Catalogue {
    /// The name with the schema in which the table was found.
    pub(crate) name: TableName,
    /// Why the task cannot work on this table at all: a view, row-level security.
    pub(crate) obstacle: Option<String>,
    pub(crate) columns: Vec<CatalogueColumn>,
    /// Empty if no key identifies a row.
    pub(crate) row_key: Vec<KeyColumn>,
    pub(crate) index: Option<String>,
    pub(crate) rows: Option<u64>,
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
    pub(crate) changes_on_update: bool,
}
