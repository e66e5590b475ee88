//! Finds the guard of a column.

use diesel::result::QueryResult;

use crate::database::{DialectConnection, GuardKind, GuardLookup};
use crate::targets::TableName;

/// Finds the guard of a column. It recognizes the text of a guard in the catalogue, whether the guard comes from the
/// shipped migrations, from [`migrations`](crate::guard::migrations), or was copied from them by hand.
///
/// Returns `None` if there is no such table or column.
///
/// # Errors
///
/// The errors of the database.
pub fn of<C: DialectConnection>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
    C::Backend::guard(conn, table, column)
}
