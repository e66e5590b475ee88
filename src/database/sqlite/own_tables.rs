//! The tables of the task on SQLite.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::{Conn, OwnTables, Sql};
use crate::targets::TableName;

impl OwnTables for Sqlite {
    fn distrust<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<String>> {
        Sql::new(DISTRUST).bind(table.name()).bind(table.name()).first(conn)
    }
}

/// The owner of the file owns every table.
const DISTRUST: &str = "\
    SELECT CASE \
        WHEN NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?) THEN 'it is not a table' \
        WHEN EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?) THEN 'it has triggers' \
        END";
