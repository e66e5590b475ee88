//! Snapshots of SQLite, and its open write transaction.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::quote::quoted_table;
use crate::database::{Conn, ErrorClass, Locks, PlannedTable, Snapshots, Sql, class_of};

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

    /// Fails where this session can never become the writer, because it may only read.
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        Self::older_than(conn, "").map(|_| String::new())
    }

    /// There is one writer at a time. Whoever becomes the writer knows that all earlier writers are done.
    fn older_than<C: Conn<Self>>(conn: &mut C, _fence: &str) -> QueryResult<Vec<String>> {
        match become_writer(conn) {
            Err(error) if class_of(&error, Self::MESSAGES, &[]) == ErrorClass::Lock => {
                Ok(vec!["the one that is writing".into()])
            }
            result => result.map(|()| Vec::new()),
        }
    }
}

/// Becomes the writer, and writes nothing.
///
/// `BEGIN IMMEDIATE` alone succeeds at once in a session that may only read, whoever writes meanwhile. So this begins to
/// write. Source: <https://www.sqlite.org/src/file/src/build.c> (`sqlite3BeginTransaction`).
pub(crate) fn become_writer<C: Conn<Sqlite>>(conn: &mut C) -> QueryResult<()> {
    conn.batch_execute("BEGIN IMMEDIATE")?;
    let result = conn.batch_execute("PRAGMA main.incremental_vacuum(1)");
    conn.batch_execute("ROLLBACK").and(result)
}
