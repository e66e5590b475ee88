//! The cost of rewriting a table on SQLite.

use diesel::deserialize::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::Cost;
use crate::database::estimate::{LARGE, TableEstimate};
use crate::database::plan::PlannedTable;
use crate::database::quote::quoted;
use crate::database::sql::{Conn, Sql};
use crate::database::sqlite::catalogue::MAIN;

impl Cost for Sqlite {
    /// The new tokens are as long as the old ones and replace them, so the file does not grow. Each page with such a
    /// row goes once through the WAL or the rollback journal. Together these pages are at most as large as the file.
    /// SQLite restarts the WAL after every checkpoint, so it stays at a few megabytes, unless somebody reads all the
    /// time.
    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate> {
        let schema = table.name.schema().unwrap_or(MAIN);
        let Size { bytes } = sql_query(SIZE).bind::<Text, _>(schema).bind::<Text, _>(schema).get_result(conn)?;
        let bytes = u64::try_from(bytes).unwrap_or_default();
        let mut advice = Vec::new();
        if bytes >= LARGE {
            advice.push(
                "in WAL mode, end long read transactions: while they last, the file that ends in -wal grows, up to the size \
                 of the database"
                    .into(),
            );
        }
        let bytes = Some(bytes);
        let rows = table.rows;
        let table = table.name.to_string();
        Ok(TableEstimate { rows, rewritten: bytes, logged: bytes, growth: Some(0), advice, table })
    }

    fn rows<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Option<u64>> {
        let schema = quoted::<Self>(table.name.schema().unwrap_or(MAIN));
        let name = quoted::<Self>(table.name.name());
        let count = Sql::new(format!("SELECT CAST(count(*) AS TEXT) FROM {schema}.{name}")).first(conn)?;
        Ok(count.and_then(|count| count.parse().ok()))
    }
}

const SIZE: &str = "SELECT c.page_count * s.page_size AS bytes FROM pragma_page_count(?) c, pragma_page_size(?) s";

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}
