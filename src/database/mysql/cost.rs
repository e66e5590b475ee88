//! The cost of rewriting a table on MySQL and MariaDB.

use diesel::deserialize::QueryableByName;
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::Cost;
use crate::database::estimate::{LARGE, TableEstimate};
use crate::database::plan::PlannedTable;
use crate::database::sql::Conn;

impl Cost for Mysql {
    /// The new tokens are as long as the old ones and replace them, so the table does not grow. The redo log takes 1.75
    /// bytes for each byte of a row (measured: 633 for a row of 362). The binary log, if there is one, takes the whole old
    /// row and the whole new row.
    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate> {
        let schema = table.name.schema().unwrap_or_default();
        let figures = sql_query(FIGURES).bind::<Text, _>(schema).bind::<Text, _>(table.name.name());
        let figures: Figures = figures.get_result(conn)?;
        let size = |number: i64| u64::try_from(number).unwrap_or_default();
        let rows = size(figures.rows);
        let bytes = size(figures.bytes);
        let binlog = if figures.has_binlog { 2 * bytes } else { 0 };
        let mut advice = Vec::new();
        if bytes >= LARGE && figures.has_binlog {
            advice.push(
                "the binary log keeps the rewritten rows until it expires. Check that its disk has room for them (SHOW \
                 BINARY LOGS), and watch the lag of the replicas"
                    .into(),
            );
        }
        Ok(TableEstimate {
            table: table.name.to_string(),
            rows: Some(rows),
            rewritten: Some(bytes),
            logged: Some(bytes / 4 * 7 + binlog),
            growth: Some(0),
            advice,
        })
    }
}

const FIGURES: &str = "\
    SELECT CAST(COALESCE(table_rows, 0) AS SIGNED) AS `rows`, CAST(COALESCE(data_length, 0) AS SIGNED) AS bytes, \
           @@log_bin AS has_binlog \
    FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";

#[derive(QueryableByName)]
struct Figures {
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Bool)]
    has_binlog: bool,
}
