//! Snapshots of SQLite, and its open write transaction.

use diesel::result::{Error, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::quote::quoted_table;
use crate::database::{Conn, Locks, PlannedTable, Snapshots, Sql};

impl Snapshots for Sqlite {
    /// In WAL mode, a transaction that has read cannot become the writer once another one has written
    /// (`SQLITE_BUSY_SNAPSHOT`). In the other modes, a reader keeps all others from committing.
    /// Source: <https://www.sqlite.org/isolation.html>.
    const OUTLIVES_SNAPSHOTS: bool = false;

    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        _tables: &[PlannedTable],
        _shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        // The first read takes the snapshot.
        conn.batch_execute("BEGIN; SELECT 1 FROM sqlite_master LIMIT 1").map(|()| None)
    }

    fn count<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<u64> {
        let name = quoted_table::<Self>(&table.name);
        Sql::new(format!("SELECT CAST(count(*) AS TEXT) FROM {name} NOT INDEXED")).number(conn)
    }

    fn fence<C: Conn<Self>>(_conn: &mut C) -> QueryResult<String> {
        Ok(String::new())
    }

    /// There is one writer at a time. Whoever becomes the writer knows that all earlier writers are done.
    fn older_than<C: Conn<Self>>(conn: &mut C, _fence: &str) -> QueryResult<Vec<String>> {
        match conn.batch_execute("BEGIN IMMEDIATE; COMMIT") {
            Err(Error::DatabaseError(_, info)) if Self::is_lock_conflict(info.message()) => {
                Ok(vec!["the one that is writing".into()])
            }
            result => result.map(|()| Vec::new()),
        }
    }
}
