//! Locks of SQLite.

use diesel::sqlite::Sqlite;

use crate::database::Locks;

impl Locks for Sqlite {
    const LOCKS_ROWS: bool = false;
    const SHARES: bool = false;

    fn is_lock_conflict(message: &str) -> bool {
        message.contains("locked")
    }
}
