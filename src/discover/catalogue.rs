//! The user's tables, as the catalogue describes them.

use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use crate::database::connection::Conn;
use crate::database::dialect::Dialect;
use crate::database::words::Flavor;
use crate::fields::column::Form;
use crate::targets::TableName;

/// A backend whose catalogue can be compared with a schema: Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature.
/// Sealed, as [`Dialect`] is.
///
/// The methods are not part of the public interface.
pub trait Discoverable: Dialect {
    #[doc(hidden)]
    const FLAVOR: Flavor;

    /// The tables and views of the user, in any order. On MySQL only those in the connected database and in `schemas`.
    #[doc(hidden)]
    fn relations<C: Conn<Self>>(conn: &mut C, schemas: &[&str]) -> QueryResult<Vec<Relation>>;

    /// Adds two texts to a select list: the length of a value in bytes, and its first bytes in hexadecimal if it begins as
    /// a token does.
    #[doc(hidden)]
    fn push_sampled(column: &Column, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;
}

/// A table, a view, or anything else that can be read as a table.
pub struct Relation {
    pub(crate) name: TableName,
    /// Whether a name without the schema finds it.
    pub(crate) is_in_reach: bool,
    /// What it is, unless it is a table whose rows can be rewritten.
    pub(crate) other: Option<String>,
    /// Whether it holds rows of its own. All columns of such a relation are sampled, even if none is declared.
    pub(crate) is_own: bool,
    /// Whether to read it without the rows of the tables that inherit from it.
    pub(crate) only: bool,
    /// The columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) triggers: Vec<Trigger>,
    /// Whether this user cannot see the triggers.
    pub(crate) hides_triggers: bool,
}

pub struct Column {
    pub(crate) name: String,
    /// The type in the database's words.
    pub(crate) type_name: String,
    /// `None` for types that cannot hold tokens.
    pub(crate) form: Option<Form>,
    /// Whether it can store tokens whatever its type is.
    pub(crate) takes_anything: bool,
    pub(crate) is_array: bool,
    /// The length limit: characters of a text, bytes otherwise. `None` if there is no limit.
    pub(crate) limit: Option<u64>,
    pub(crate) is_generated: bool,
    /// Whether the catalogue has anything that could be its guard.
    pub(crate) may_be_guarded: bool,
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
    /// Another reading of the definition, where the catalogue does not show it exactly.
    pub(crate) second_reading: Option<String>,
    /// The word in `definition` after which the body begins.
    pub(crate) body_after: Option<&'static str>,
    /// The names of its transition tables, which hold the rows of the statement.
    pub(crate) transitions: Vec<String>,
    /// The arguments of its function.
    pub(crate) arguments: Vec<String>,
    /// Whether its language has other names for a row than `NEW` and `OLD`.
    pub(crate) is_foreign: bool,
}

impl Relation {
    /// A table with no known properties yet.
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

    /// A relation that can be read as a table, but holds no rows of its own.
    pub(crate) fn view(name: TableName, what: impl Into<String>) -> Self {
        Self { other: Some(what.into()), is_own: false, ..Self::new(name) }
    }

    /// Adds a key to the index of this name. The keys of an index come one after the other.
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
    /// A trigger with a definition and no other properties.
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

impl Column {
    /// Whether its values may be tokens.
    pub(crate) fn may_hold_tokens(&self) -> bool {
        self.form.is_some() || self.takes_anything
    }

    /// The length of the shortest token in such a column.
    pub(crate) fn shortest(&self) -> usize {
        self.token_len(0)
    }

    /// The length of the token of a plaintext of this length in such a column.
    pub(crate) fn token_len(&self, plaintext: usize) -> usize {
        if self.form == Some(Form::Binary) { crate::raw_token_len(plaintext) } else { crate::token_len(plaintext) }
    }
}
