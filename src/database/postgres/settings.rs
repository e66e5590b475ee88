//! Settings of the task on PostgreSQL, which last for one transaction.

use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::postgres::path::{self, PINNED};
use crate::database::{Conn, SessionSettings};

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
        // The literals of arrays contain NULL.
        ("array_nulls", "on"),
        // Row keys are sent and returned as text, which must stand for the same value.
        ("bytea_output", "hex"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "3"),
        // Statements and catalogue texts are written and read as standard SQL.
        ("standard_conforming_strings", "on"),
        ("quote_all_identifiers", "off"),
        ("transform_null_equals", "off"),
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

    fn with_settings<C: Conn<Self>, T>(
        conn: &mut C,
        is_patient: bool,
        query: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        let (name, patient) = Self::PATIENT;
        let patience = if is_patient { format!("SET LOCAL {name} = {patient}") } else { String::new() };
        conn.transaction(|conn| {
            // A compare and swap must see the last committed value. In a snapshot it would fail.
            let isolation = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
            conn.batch_execute(&format!("{isolation}; {}{}{patience}", path::note(), local_settings()))?;
            query(conn)
        })
    }

    fn pinned<C: Conn<Self>, T, E: From<DieselError>>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        path::pinned(conn, query)
    }
}

/// Statements that give the current transaction the settings of the task. They take no snapshot.
pub(crate) fn local_settings() -> String {
    Pg::SETTINGS.iter().map(|(name, value)| format!("SET LOCAL {name} = {value}; ")).collect()
}
