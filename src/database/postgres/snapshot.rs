//! Snapshots of PostgreSQL, and its open transactions.

use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::postgres::settings::local_settings;
use crate::database::quote::quoted_table;
use crate::database::swap::{explained, rows_of};
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
        let names: Vec<String> = tables.iter().map(|table| quoted_table::<Self>(&table.name)).collect();
        let can_lock = can_lock(conn, &names)?;
        conn.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}SET LOCAL lock_timeout = '10s'; \
             SET LOCAL idle_in_transaction_session_timeout = '60s'",
            local_settings(),
        ))?;
        if can_lock {
            conn.batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", ")))?;
        }
        // The server has generated the name.
        let shared =
            shared.map(|name| conn.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{name}'"))).transpose()?;
        if !can_lock {
            lock_by_reading(conn, tables, &names)?;
        }
        if shared.is_some() { Ok(None) } else { Sql::new("SELECT pg_export_snapshot()").first(conn) }
    }

    fn count<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<u64> {
        // Undoing the savepoint restores the settings. Without indexes, the server reads the rows themselves.
        conn.batch_execute(
            "SAVEPOINT counting; SET LOCAL statement_timeout = 0; SET LOCAL enable_indexscan = off; \
             SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off",
        )?;
        let rows = Sql::new(format!("SELECT count(*)::text FROM {}", rows_of::<Self>(table))).number(conn)?;
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

/// Whether this user may lock the tables. Privileges on columns are not enough.
fn can_lock<C: Conn<Pg>>(conn: &mut C, names: &[String]) -> QueryResult<bool> {
    for name in names {
        let sql = "SELECT pg_catalog.has_table_privilege(pg_catalog.to_regclass(?::pg_catalog.text), 'SELECT')::pg_catalog.text";
        if Sql::new(sql).bind(name).first(conn)?.as_deref() != Some("true") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Locks tables as every reading does, after the snapshot. A table that was rewritten between the two would read as empty,
/// so this fails if one was: the snapshot shows the former number of its file, and the server knows the present one.
fn lock_by_reading<C: Conn<Pg>>(conn: &mut C, tables: &[PlannedTable], names: &[String]) -> QueryResult<()> {
    for table in tables {
        let [read, _] = explained::<Pg>(table);
        conn.batch_execute(&format!("{} LIMIT 0", read.trim_start_matches("EXPLAIN ")))?;
    }
    for name in names {
        if let Some(rewritten) = Sql::new(REWRITTEN).bind(name).first(conn)? {
            let reason = format!("the table {rewritten} was rewritten while the snapshot was taken");
            return Err(DieselError::QueryBuilderError(reason.into()));
        }
    }
    Ok(())
}

const REWRITTEN: &str = "\
    SELECT c.oid::regclass::text FROM pg_catalog.pg_class c, to_regclass(?::text) AS t (oid) \
    WHERE (c.oid = t.oid OR c.oid IN (SELECT p.relid FROM pg_partition_tree(t.oid) p)) \
      AND pg_relation_filenode(c.oid) IS DISTINCT FROM nullif(c.relfilenode, 0)";

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
