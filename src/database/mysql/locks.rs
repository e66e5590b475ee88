//! Locks of MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::dialect::Locks;
use crate::database::sql::{Conn, Sql};

impl Locks for Mysql {
    const LOCKS_ROWS: bool = true;
    const SHARES: bool = true;

    fn is_lock_conflict(message: &str) -> bool {
        message.starts_with("Lock wait timeout exceeded") || message.starts_with("Deadlock found")
    }

    fn is_timeout(message: &str) -> bool {
        message.starts_with("Query execution was interrupted (max_statement_time")
    }

    /// MySQL waits for at least a second.
    fn waits_for_rows<C: Conn<Self>>(conn: &mut C) -> QueryResult<bool> {
        let timeout = Sql::new("SELECT CAST(@@innodb_lock_wait_timeout AS CHAR)").first(conn)?;
        Ok(timeout.as_deref() != Some("0"))
    }
}
