//! Tables as the catalogue describes them.

use crate::fields::Form;
use crate::targets::TableName;

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

/// A column of the row key.
#[derive(Debug, Clone)]
pub struct KeyColumn {
    pub(crate) name: String,
    /// The type that a parameter is cast to. If there is one, the column is read in its text form.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), expect(dead_code))]
    pub(crate) cast: Option<String>,
    /// Whether the column holds text, whatever the driver takes it for.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(crate) is_text: bool,
}

/// What the catalogue knows of a column.
pub struct CatalogueColumn {
    pub(crate) name: String,
    /// The type in the database's words, for messages.
    pub(crate) type_name: String,
    /// `None` for types that do not hold tokens.
    pub(crate) form: Option<Form>,
    /// The longest value: characters of a text, bytes otherwise. `None` if there is no limit that a token could reach.
    pub(crate) limit: Option<u64>,
    /// Whether the database pads values to this length: it returns them with more characters, or with fewer.
    pub(crate) is_padded: bool,
    pub(crate) is_generated: bool,
    /// Whether the database changes the column by itself on any update of the row.
    pub(crate) changes_on_update: bool,
    /// Whether it is an array. [`Relation`]s give the form of its elements.
    pub(crate) is_array: bool,
    /// Whether it keeps tokens whatever its type is.
    pub(crate) takes_anything: bool,
    /// Whether the catalogue has anything that could be a guard of the column.
    pub(crate) may_be_guarded: bool,
}

/// A table, or what can be read as one.
pub struct Relation {
    pub(crate) name: TableName,
    /// Whether its name without the schema finds it.
    pub(crate) is_in_reach: bool,
    /// What it is if it is not a table whose rows can be rewritten.
    pub(crate) other: Option<String>,
    /// Whether it holds rows that no other relation has. Such a relation is sampled even if none of its columns is
    /// declared.
    pub(crate) is_own: bool,
    /// Whether other tables can inherit from it. Their rows are not its rows.
    pub(crate) only: bool,
    /// The columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    pub(crate) columns: Vec<CatalogueColumn>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) triggers: Vec<Trigger>,
    /// Whether this user is not shown the triggers.
    pub(crate) hides_triggers: bool,
}

pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) is_unique: bool,
    pub(crate) keys: Vec<IndexKey>,
}

pub(crate) enum IndexKey {
    Column(String),
    Expression(String),
}

/// A trigger, or a rule of PostgreSQL.
pub(crate) struct Trigger {
    pub(crate) name: String,
    /// What it does.
    pub(crate) definition: String,
    /// A second reading of the definition, where the catalogue does not show the definition as it was written.
    pub(crate) second_reading: Option<String>,
    /// The word in `definition` after which the body begins.
    pub(crate) body_after: Option<&'static str>,
    /// The names of its transition tables, which hold the rows of the statement.
    pub(crate) transitions: Vec<String>,
    /// The arguments of its function.
    pub(crate) arguments: Vec<String>,
    /// Whether its language has other names than `NEW` and `OLD` for a row.
    pub(crate) is_foreign: bool,
}

impl Relation {
    /// A table about which nothing else is known yet.
    pub(crate) fn new(name: TableName) -> Self {
        Self {
            name,
            is_in_reach: true,
            other: None,
            is_own: true,
            only: false,
            key: Vec::new(),
            columns: Vec::new(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            hides_triggers: false,
        }
    }

    /// A relation that can be read as a table but holds no rows itself.
    pub(crate) fn view(name: TableName, what: impl Into<String>) -> Self {
        Self { other: Some(what.into()), is_own: false, ..Self::new(name) }
    }

    /// Adds a key to the index with this name. If the index is there already, it is the last one.
    pub(crate) fn add_index_key(&mut self, index: String, is_unique: bool, key: IndexKey) {
        match self.indexes.last_mut() {
            Some(last) if last.name == index => last.keys.push(key),
            _ => self.indexes.push(Index { name: index, is_unique, keys: vec![key] }),
        }
    }

    /// Whether it belongs to Diesel or to this crate.
    pub(crate) fn is_internal(&self) -> bool {
        let name = self.name.name();
        name.starts_with("__diesel_encrypted_") || name == "__diesel_schema_migrations"
    }
}

impl Trigger {
    /// A trigger about which nothing else is known than what it does.
    pub(crate) fn new(name: String, definition: String) -> Self {
        Self {
            name,
            definition,
            second_reading: None,
            body_after: None,
            transitions: Vec::new(),
            arguments: Vec::new(),
            is_foreign: false,
        }
    }
}

impl CatalogueColumn {
    /// Whether its values may be tokens.
    pub(crate) fn may_hold_tokens(&self) -> bool {
        self.form.is_some() || self.takes_anything
    }

    /// The length of the shortest token in such a column.
    pub(crate) fn shortest(&self) -> usize {
        self.token_len(0)
    }

    /// The length of the token for a plaintext of this many bytes in such a column.
    pub(crate) fn token_len(&self, plaintext: usize) -> usize {
        if self.form == Some(Form::Binary) { crate::raw_token_len(plaintext) } else { crate::token_len(plaintext) }
    }
}
