//! Snapshots of PostgreSQL, and its open transactions.

use diesel::pg::Pg;
use diesel::result::QueryResult;

use crate::database::postgres::settings::local_settings;
use crate::database::quote::quoted_table;
use crate::database::{Conn, PlannedTable, Snapshots, Sql};

impl Snapshots for Pg {
    /// Two, because a transaction that was open at the first fence may have been prepared since. At the second fence it has a
    /// number.
    const FENCES: usize = 2;

    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        tables: &[PlannedTable],
        shared: Option<&str>,
    ) -> QueryResult<Option<String>> {
        let tables: Vec<String> = tables.iter().map(|table| quoted_table::<Self>(&table.name)).collect();
        conn.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}SET LOCAL lock_timeout = '10s'; \
             SET LOCAL idle_in_transaction_session_timeout = '60s'; LOCK TABLE {} IN ACCESS SHARE MODE",
            local_settings(),
            tables.join(", ")
        ))?;
        match shared {
            // The server has generated the name.
            Some(name) => conn.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{name}'")).map(|()| None),
            None => Sql::new("SELECT pg_export_snapshot()").first(conn),
        }
    }

    fn count<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<u64> {
        // Undoing the savepoint restores the settings. Without indexes, the server reads the rows themselves.
        conn.batch_execute(
            "SAVEPOINT counting; SET LOCAL statement_timeout = 0; SET LOCAL enable_indexscan = off; \
             SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off",
        )?;
        let only = if table.only { "ONLY " } else { "" };
        let name = quoted_table::<Self>(&table.name);
        let rows = Sql::new(format!("SELECT count(*)::text FROM {only}{name}")).number(conn)?;
        conn.batch_execute("ROLLBACK TO SAVEPOINT counting; RELEASE SAVEPOINT counting").map(|()| rows)
    }

    /// Returns the number of a transaction that ends at once, and the virtual numbers of all open transactions. A
    /// transaction that has written nothing yet has no other number.
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String> {
        Sql::new(FENCE).first(conn).map(Option::unwrap_or_default)
    }

    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>> {
        Sql::new(OLDER).bind(fence).column(conn)
    }
}

/// It does not use `pg_snapshot_xmax`, which can be higher than the number of a transaction that still runs.
const FENCE: &str = "\
    SELECT pg_current_xact_id() || coalesce(',' || string_agg(DISTINCT virtualxid, ','), '') \
    FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()";

/// The transactions that were open at the fence and are not over: the transactions of sessions, and prepared transactions,
/// which belong to no session.
///
/// It leaves out transactions that end during the statement, and processes that cannot write a value of these tables:
/// processes in other databases, prepared transactions of other databases, and the server's own processes, which have no
/// user (autovacuum, the checkpointer, the writers). Whoever copies the log of the whole server has no database. All
/// others count: sessions, parallel and background workers, the workers of a subscription, and clients that connected
/// with `replication=database`, which run statements as any session does. Every user may read these columns, but not
/// the time of another user's sessions.
const OLDER: &str = "\
    WITH fence AS (SELECT string_to_array(?::text, ',') AS numbers) \
    SELECT 'process ' || l.pid || ' of ' || coalesce(nullif(a.application_name, ''), a.usename, 'an unknown user') \
           || CASE WHEN a.backend_xid IS NULL THEN ', which has only read so far' ELSE '' END \
           || coalesce(', since ' || date_trunc('second', a.xact_start), '') \
    FROM fence JOIN pg_catalog.pg_locks l ON l.locktype = 'virtualxid' AND l.virtualxid = ANY (numbers[2:]) \
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
    WHERE l.pid <> pg_backend_pid() AND a.datname = current_database() AND a.usesysid IS NOT NULL \
    UNION \
    SELECT 'the prepared transaction ' || p.gid || ', since ' || date_trunc('second', p.prepared) \
    FROM fence, pg_snapshot_xip(pg_current_snapshot()) AS x \
    JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x::xid \
    WHERE x <= numbers[1]::xid8 AND p.database = current_database()";
