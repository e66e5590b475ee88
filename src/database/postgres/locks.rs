//! Locks of PostgreSQL.

use diesel::pg::Pg;

use crate::database::Locks;

/// A swap never waits for a row, because of the `lock_timeout`.
impl Locks for Pg {
    const LOCKS_ROWS: bool = true;
    const SHARES: bool = true;

    fn is_lock_conflict(message: &str) -> bool {
        message.starts_with("canceling statement due to lock timeout") || message.starts_with("deadlock detected")
    }

    fn is_timeout(message: &str) -> bool {
        message.starts_with("canceling statement due to statement timeout")
    }
}
