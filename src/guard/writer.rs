//! The differences between the databases.

use diesel::result::QueryResult;

use crate::database::{Conn, Dialect};
use crate::guard::error::GuardError;
use crate::guard::migration::{GuardMigration, Way};
use crate::guard::table::{Column, Table};
use crate::targets::TableName;

/// A backend for which this crate writes guards: Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature. Sealed, as
/// [`Dialect`] is.
///
/// The methods are not part of the public interface.
pub trait GuardWriter: Dialect {
    /// The condition of each column's guard.
    #[doc(hidden)]
    fn conditions<C: Conn<Self>>(conn: &mut C, table: &Table) -> QueryResult<Vec<String>>;

    /// How many values of a column would pass its condition if they were stored as another type, and the statement that
    /// converts them.
    #[doc(hidden)]
    fn of_another_type<C: Conn<Self>>(
        _conn: &mut C,
        _table: &Table,
        _column: &Column,
    ) -> QueryResult<Option<(u64, String)>> {
        Ok(None)
    }

    /// Why the table cannot have guards, given the obstacle that keeps the task from the table. `None` if only the task
    /// is affected.
    #[doc(hidden)]
    fn obstacle<C: Conn<Self>>(_conn: &mut C, _table: &TableName, of_task: String) -> QueryResult<Option<String>> {
        Ok(Some(of_task))
    }

    /// The migrations of a table whose values pass all `conditions`.
    #[doc(hidden)]
    fn write<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        conditions: &[String],
        way: Way,
    ) -> Result<Vec<GuardMigration>, GuardError>;
}
