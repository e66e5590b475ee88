//! Locks of SQLite.

use diesel::sqlite::Sqlite;

use crate::database::{ErrorClass, Locks};

impl Locks for Sqlite {
    const LOCKS_ROWS: bool = false;
    const SHARES: bool = false;
    /// SQLite has no other language.
    const MESSAGES: &'static [(ErrorClass, &'static str)] = &[
        (ErrorClass::Lock, "database is locked"),
        (ErrorClass::Lock, "database table is locked"),
        (ErrorClass::Lock, "database schema is locked"),
        (ErrorClass::Denied, "not authorized"),
    ];
}
