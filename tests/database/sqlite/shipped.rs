//! The migrations that users of SQLite copy, and the errors of their guards.

use diesel::result::DatabaseErrorKind;
use diesel_encrypted::guard::GuardKind;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// The schema file that `diesel` prints for these migrations with the shipped configuration. See `bin/print-schema`.
pub const SCHEMA_FILE: &str = "tests/database/sqlite/schema.rs";

/// Selects all columns from the catalogue. Types have the names that `diesel` uses.
pub const COLUMNS: &str = "
    select m.name as table_name, p.name as column_name,
           case p.type when 'INTEGER' then 'BigInt' when 'BLOB' then 'Binary'
               else substr(p.type, 1, 1) || lower(substr(p.type, 2)) end as type_name,
           not p.\"notnull\" as is_nullable, p.pk > 0 as is_key, null as max_length
    from sqlite_schema m join pragma_table_info(m.name) p
    where m.type = 'table' and m.name not like 'sqlite%' order by m.name, p.cid";

/// The kind of these guards.
pub const GUARD_KIND: GuardKind = GuardKind::Check;

/// The constraint that refuses a value in this column of `people`.
pub fn guard(column: &str) -> String {
    format!("people_{column}_is_encrypted")
}

pub fn is_check_violation(kind: DatabaseErrorKind) -> bool {
    matches!(kind, DatabaseErrorKind::CheckViolation)
}
