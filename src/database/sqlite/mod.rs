//! SQLite: every value has a type of its own. A batch is an update from a list of values.

pub(crate) mod catalogue;
pub(crate) mod conversion;
pub(crate) mod cost;
pub(crate) mod effects;
pub(crate) mod guards;
pub(crate) mod identity;
pub(crate) mod language;
pub(crate) mod locks;
pub(crate) mod own_tables;
pub(crate) mod pooler;
pub(crate) mod replication;
pub(crate) mod row_key;
mod rows;
pub(crate) mod settings;
pub(crate) mod snapshot;
pub(crate) mod swap;

impl crate::database::dialect::Dialect for diesel::sqlite::Sqlite {}
