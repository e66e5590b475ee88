//! The migrations that users of MySQL and MariaDB copy, and the errors of their guards.

use diesel::result::DatabaseErrorKind;
use diesel_encrypted::guard::GuardKind;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/mysql");
/// The schema file that `diesel` prints for these migrations with the shipped configuration. See `bin/print-schema`.
pub const SCHEMA_FILE: &str = "tests/database/mysql/schema.rs";

/// Selects all columns from the catalogue. Types have the names that `diesel` uses.
pub const COLUMNS: &str = "
    select table_name as table_name, column_name as column_name,
           concat(upper(left(data_type, 1)), substr(data_type, 2)) as type_name, is_nullable = 'YES' as is_nullable,
           column_key = 'PRI' as is_key,
           if(data_type in ('char', 'varchar'), cast(character_maximum_length as signed), null) as max_length
    from information_schema.columns where table_schema = database() order by table_name, ordinal_position";

/// The kind of these guards.
pub const GUARD_KIND: GuardKind = GuardKind::Check;

/// The constraint that refuses a value in this column of `people`.
pub fn guard(column: &str) -> String {
    format!("people_{column}_is_encrypted")
}

pub fn is_check_violation(kind: DatabaseErrorKind) -> bool {
    // Diesel does not know this error number of MariaDB.
    matches!(kind, DatabaseErrorKind::CheckViolation | DatabaseErrorKind::Unknown)
}
