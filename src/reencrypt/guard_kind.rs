//! Guards: what in the catalogue keeps plaintext out of a column.

use diesel::connection::{Connection, LoadConnection};
use diesel::result::QueryResult;

use super::dialect::Dialect;
use crate::target::TableName;

/// What keeps everything out of a column that has not the shape of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GuardKind {
    /// The type of the column, a domain of PostgreSQL.
    Domain,
    /// A CHECK of the table or the column.
    Check,
    /// A CHECK of PostgreSQL that nobody has validated: rows that were there before it may hold anything.
    UnvalidatedCheck,
}

/// The guard of a column, if it has one: that of the shipped migrations, one of
/// [`diesel-encrypted migration guard`](crate::guard), or one that was written after them by hand. It is known by its
/// text in the catalogue. `None` also if there is no such table or column.
///
/// # Errors
///
/// Those of the database.
pub fn of<C>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>>
where
    C: Connection + LoadConnection,
    C::Backend: Dialect,
{
    C::Backend::guard(conn, table, column)
}

/// Whether a condition, in the words in which the database shows it, is that of a guard: it asks for the beginning, the
/// length and the alphabet of a token. Whatever else a server makes of the text, it keeps the literals.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) fn is_guard(condition: &str) -> bool {
    ["gAAAA", "100", "A-Za-z0-9_-]"].iter().all(|part| condition.contains(part))
}
