//! SQLite: a CHECK in a table that the migration creates again.

pub(crate) mod create;
pub(crate) mod rebuild;
pub(crate) mod writer;
