//! Settings of the task on PostgreSQL, which last for one transaction.

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::postgres::path::{self, PINNED};
use crate::database::{Conn, SessionSettings, TaskConnection};

impl SessionSettings for Pg {
    /// The values are SQL.
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        ("search_path", PINNED),
        // The swap hardly waits: it fails if a row is locked. The next swap skips such rows.
        ("lock_timeout", "'1ms'"),
        // A page takes only milliseconds.
        ("statement_timeout", "'15s'"),
        // After this time, the server releases the locks of a suspended process.
        ("idle_in_transaction_session_timeout", "'5s'"),
        // Row-level security would silently hide rows. Switched off, it causes an error.
        ("row_security", "off"),
        // Row keys are sent and returned as text, which must stand for the same value.
        ("bytea_output", "hex"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "3"),
    ];
    const PATIENT: (&'static str, &'static str) = ("lock_timeout", "'10s'");

    /// The session keeps its own settings, so that nobody else ever meets those of the task: neither the next user of
    /// the connection, however the task ends, nor another client behind a pooler.
    fn settings<C: Conn<Self>>(_conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        conn.batch_execute(&format!("SET LOCAL {name} = {value}"))
    }

    fn with_settings<C: TaskConnection<Backend = Self>, T>(
        conn: &mut C,
        is_patient: bool,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        // A compare and swap must see the last committed value. In a snapshot it would fail.
        let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {}", local_settings());
        if let Err(error) = AnsiTransactionManager::begin_transaction_sql(conn, &begin) {
            // Diesel does not know of the transaction, if it has begun.
            let _ = conn.batch_execute("ROLLBACK");
            return Err(error);
        }
        let (name, patient) = Self::PATIENT;
        let is_set = if is_patient { Self::set(conn, name, patient) } else { Ok(()) };
        match is_set.and_then(|()| query(conn)) {
            Ok(value) => AnsiTransactionManager::commit_transaction(conn).map(|()| value),
            Err(error) => {
                // If this fails, the connection is broken, and Diesel knows it.
                let _ = AnsiTransactionManager::rollback_transaction(conn);
                Err(error)
            }
        }
    }

    fn pinned<C: Conn<Self>, T, E: From<DieselError>>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        path::pinned(conn, query)
    }
}

/// Statements that give the current transaction the settings of the task. They first note the schemas that the
/// application searches.
pub(crate) fn local_settings() -> String {
    let set = Pg::SETTINGS.iter().map(|(name, value)| format!("SET LOCAL {name} = {value}; "));
    path::note() + &set.collect::<String>()
}
