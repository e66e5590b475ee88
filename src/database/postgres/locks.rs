//! Locks of PostgreSQL, and how the server words its errors.

use diesel::pg::Pg;
use diesel::result::Error as DieselError;

use crate::database::{Conn, ErrorClass, Locks, Wording};

/// The beginning of a transaction that waits neither for a lock nor for a statement.
const IMPATIENT: &str = "BEGIN; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '1ms'";
/// A lock that only those take who want to see it refused.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(-7021953311402216871)";
/// A table that only superusers may read.
const PROTECTED: &str = "pg_authid";

/// A swap never waits for a row, because of the `lock_timeout`.
impl Locks for Pg {
    const LOCKS_ROWS: bool = true;
    const SHARES: bool = true;
    const MESSAGES: &'static [(ErrorClass, &'static str)] = &[
        (ErrorClass::Lock, "canceling statement due to lock timeout"),
        (ErrorClass::Lock, "deadlock detected"),
        (ErrorClass::Timeout, "canceling statement due to statement timeout"),
        (ErrorClass::Denied, "permission denied for "),
    ];
    /// Only a superuser may set `lc_messages`.
    const TRANSLATES: bool = true;

    fn learn<C: Conn<Self>>(conn: &mut C, other: Option<&mut C>) -> Vec<Wording> {
        let slow = "BEGIN; SET LOCAL statement_timeout = '1ms'; SELECT pg_catalog.pg_sleep(10)";
        let timeout = provoked(conn, slow).map(|message| Wording::whole(ErrorClass::Timeout, &message));
        let denied = provoked(conn, &format!("BEGIN; SELECT FROM pg_catalog.{PROTECTED} LIMIT 1"));
        let denied = denied.and_then(|message| Wording::around(ErrorClass::Denied, &message, PROTECTED));
        let lock = other.and_then(|other| {
            // If somebody else holds the lock, the second attempt fails as well.
            let _ = other.batch_execute(&format!("{IMPATIENT}; {LOCK}"));
            let message = provoked(conn, &format!("{IMPATIENT}; {LOCK}"));
            let _ = other.batch_execute("ROLLBACK");
            message.map(|message| Wording::whole(ErrorClass::Lock, &message))
        });
        [timeout, denied, lock].into_iter().flatten().collect()
    }
}

/// The message of the error that these statements cause.
fn provoked<C: Conn<Pg>>(conn: &mut C, statements: &str) -> Option<String> {
    let result = conn.batch_execute(statements);
    let _ = conn.batch_execute("ROLLBACK");
    match result {
        Err(DieselError::DatabaseError(_, info)) => Some(info.message().to_owned()),
        _ => None,
    }
}
