//! Looking for the guard of a column.

use diesel::result::QueryResult;

use crate::database::connection::DialectConnection;
use crate::database::dialect::GuardLookup;
use crate::database::guard_kind::GuardKind;
use crate::targets::TableName;

/// The guard of a column, if it has one: that of the shipped migrations, one of
/// [`diesel-encrypted migration guard`](crate::guard), or one that was written after them by hand. It is known by its
/// text in the catalogue. `None` also if there is no such table or column.
///
/// # Errors
///
/// Those of the database.
pub fn of<C: DialectConnection>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
    C::Backend::guard(conn, table, column)
}
