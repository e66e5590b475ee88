//! Tables as the catalogue describes them.

use crate::database::row::KeyValue;
use crate::fields::Form;
use crate::keys::fernet::token::{raw_token_len, token_len};
use crate::targets::TableName;

/// A table as the catalogue describes it.
pub struct Catalogue {
    /// The name, with the schema in which the table was found.
    pub(crate) name: TableName,
    /// The reason why the task cannot work on this table at all, for example that it is a view.
    pub(crate) obstacle: Option<String>,
    pub(crate) columns: Vec<CatalogueColumn>,
    /// Empty if no key identifies a row.
    pub(crate) row_key: Vec<KeyColumn>,
    /// Why a key of the table is not the row key, if it has one that cannot be.
    pub(crate) unusable_key: Option<String>,
    pub(crate) index: Option<String>,
    pub(crate) rows: Option<u64>,
    /// As in [`PlannedTable`](crate::database::PlannedTable).
    pub(crate) identity: Option<String>,
    /// As in [`PlannedTable`](crate::database::PlannedTable).
    pub(crate) only: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct KeyColumn {
    pub(crate) name: String,
    /// The type that a parameter is cast to. If there is one, the column is read in its text form.
    pub(crate) cast: Option<String>,
    /// The character set and the collation of a text that is sent and returned as bytes.
    pub(crate) encoding: Option<Encoding>,
    /// What follows the column in comparisons, so that they are those of the index of the row key: a cast, a collation.
    pub(crate) compared_as: Option<String>,
    /// The operators of the index of the row key, if statements have to name them: `<`, `<=`, `=`, `>=` and `>`.
    pub(crate) operators: Option<[String; 5]>,
}

/// The names of a character set and of a collation of MySQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoding {
    pub(crate) charset: String,
    pub(crate) collation: String,
}

/// Whether texts in this character set of MySQL do not contain ASCII as it is.
pub(crate) fn is_wide(charset: &str) -> bool {
    ["ucs2", "utf16", "utf16le", "utf32"].contains(&charset)
}

/// How a statement compares a row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl KeyColumn {
    /// A column that is sent and returned as it is.
    pub(crate) fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), cast: None, encoding: None, compared_as: None, operators: None }
    }

    /// The text in a value that is carried as bytes, if the bytes show it. A search for the other bytes finds them by
    /// `0x…`.
    pub(crate) fn text<'v>(&self, value: &'v KeyValue) -> Option<&'v str> {
        let (Some(Encoding { charset, .. }), KeyValue::Bytes(bytes)) = (&self.encoding, value) else { return None };
        let text = std::str::from_utf8(bytes).ok()?;
        let is_utf8 = charset.starts_with("utf8");
        (is_utf8 || text.is_ascii() && !is_wide(charset)).then_some(text)
    }

    /// The operator with which the index of the row key compares this column. With another one, a walk would skip rows.
    pub(crate) fn operator(&self, comparison: Comparison) -> &str {
        let plain = ["<", "<=", "=", ">=", ">"][comparison as usize];
        self.operators.as_ref().map_or(plain, |operators| &operators[comparison as usize])
    }
}

/// A column as the catalogue describes it.
pub struct CatalogueColumn {
    pub(crate) name: String,
    /// What distinguishes the column from another one that gets its name, if the database has such a thing.
    pub(crate) number: Option<i64>,
    /// The type in the database's words, for messages.
    pub(crate) type_name: String,
    /// `None` for types that do not hold tokens.
    pub(crate) form: Option<Form>,
    /// The length of the longest value, in characters of a text and otherwise in bytes. `None` if every token fits.
    pub(crate) limit: Option<u64>,
    /// Whether the database pads values to this length, so that it returns more or fewer characters than were written.
    pub(crate) is_padded: bool,
    pub(crate) is_generated: bool,
    /// Whether the database changes the column by itself on any update of the row.
    pub(crate) changes_on_update: bool,
    /// Whether it is an array. `form` is then the form of its elements.
    pub(crate) is_array: bool,
    /// Whether it holds documents, such as JSON, in which tokens may be.
    pub(crate) is_document: bool,
    /// The character set, if it is not one of UTF-8 and a statement has to name it.
    pub(crate) character_set: Option<String>,
    /// Whether it stores tokens unchanged even if its type is another one.
    pub(crate) takes_anything: bool,
    /// Whether the catalogue shows anything that could be a guard of the column.
    pub(crate) may_be_guarded: bool,
}

/// A table, a view, or another relation with rows.
pub struct Relation {
    pub(crate) name: TableName,
    /// Whether its name refers to it without the schema.
    pub(crate) is_in_reach: bool,
    /// The kind of relation, unless it is a table whose rows can be rewritten.
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
#[derive(Default)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    /// The SQL that it runs.
    pub(crate) definition: String,
    /// A second reading of the definition, if the catalogue does not show the definition as it was written.
    pub(crate) second_reading: Option<String>,
    /// The word in `definition` after which the body begins.
    pub(crate) body_after: Option<&'static str>,
    /// The names of its transition tables, which hold the rows of the statement.
    pub(crate) transitions: Vec<String>,
    /// The arguments of its function.
    pub(crate) arguments: Vec<String>,
    /// Whether its language uses other names for a row than `NEW` and `OLD`.
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

    /// Adds a key to the index with this name. If the index exists already, it is the last one.
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

impl CatalogueColumn {
    /// Whether its values may be tokens, or hold some.
    pub(crate) fn may_hold_tokens(&self) -> bool {
        self.form.is_some() || self.takes_anything || self.is_document
    }

    /// The length of the shortest token in such a column.
    pub(crate) fn shortest(&self) -> usize {
        self.token_len(0)
    }

    /// The length of the token for a plaintext of this many bytes in such a column.
    pub(crate) fn token_len(&self, plaintext: usize) -> usize {
        if self.form == Some(Form::Binary) { raw_token_len(plaintext) } else { token_len(plaintext) }
    }
}
