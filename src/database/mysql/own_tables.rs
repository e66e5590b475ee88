//! The tables of the task on MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::{Conn, OwnTables, Sql};
use crate::targets::TableName;

impl OwnTables for Mysql {
    fn distrust<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<String>> {
        let schema = table.schema().unwrap_or_default();
        Sql::new(DISTRUST).bind(schema).bind(table.name()).bind(schema).bind(table.name()).first(conn)
    }
}

/// Tables have no owner. A trigger runs with the rights of the user who made it.
const DISTRUST: &str = "\
    SELECT CASE \
        WHEN NOT EXISTS ( \
            SELECT 1 FROM information_schema.tables \
            WHERE table_schema = ? AND table_name = ? AND table_type = 'BASE TABLE' AND engine = 'InnoDB') \
            THEN 'it is not a base table of InnoDB' \
        WHEN EXISTS ( \
            SELECT 1 FROM information_schema.triggers WHERE event_object_schema = ? AND event_object_table = ?) \
            THEN 'it has triggers' \
        END";
