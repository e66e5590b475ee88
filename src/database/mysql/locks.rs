//! Locks of MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::{Conn, ErrorClass, Locks, Sql};

impl Locks for Mysql {
    const LOCKS_ROWS: bool = true;
    const SHARES: bool = true;
    /// The language is a setting of the session, `lc_messages`.
    const MESSAGES: &'static [(ErrorClass, &'static str)] = &[
        (ErrorClass::Lock, "Lock wait timeout exceeded"),
        (ErrorClass::Lock, "Deadlock found"),
        (ErrorClass::Timeout, "Query execution was interrupted (max_statement_time"),
        (ErrorClass::Timeout, "Query execution was interrupted, maximum statement execution time exceeded"),
        (ErrorClass::Denied, "SELECT command denied"),
        (ErrorClass::Denied, "INSERT command denied"),
        (ErrorClass::Denied, "UPDATE command denied"),
        (ErrorClass::Denied, "DELETE command denied"),
        (ErrorClass::Denied, "SELECT, UPDATE command denied"),
        (ErrorClass::Denied, "Access denied"),
        (ErrorClass::Denied, "Cannot execute statement: impossible to write to binary log"),
    ];

    /// MySQL waits for at least a second.
    fn waits_for_rows<C: Conn<Self>>(conn: &mut C) -> QueryResult<bool> {
        let timeout = Sql::new("SELECT CAST(@@innodb_lock_wait_timeout AS CHAR)").first(conn)?;
        Ok(timeout.as_deref() != Some("0"))
    }
}
