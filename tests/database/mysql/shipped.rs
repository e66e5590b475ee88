//! What a user of MySQL and MariaDB copies, and how its guards speak.

use diesel::result::DatabaseErrorKind;
use diesel_encrypted::guard::GuardKind;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/mysql");
/// What `diesel` prints of them, with the configuration that is shipped: see `bin/print-schema`.
pub const SCHEMA_FILE: &str = "tests/database/mysql/schema.rs";

/// What the guards are to the catalogue.
pub const GUARD_KIND: GuardKind = GuardKind::Check;

/// The constraint that a refused value of this column of `people` violates.
pub fn guard(column: &str) -> String {
    format!("people_{column}_is_encrypted")
}

pub fn is_check_violation(kind: DatabaseErrorKind) -> bool {
    // Diesel does not know the error number of MariaDB.
    matches!(kind, DatabaseErrorKind::CheckViolation | DatabaseErrorKind::Unknown)
}
