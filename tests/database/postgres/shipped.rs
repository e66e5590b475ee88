//! The migrations that users of PostgreSQL copy, and the errors of their guards.

use diesel::result::DatabaseErrorKind;
use diesel_encrypted::guard::GuardKind;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
/// The schema file that `diesel` prints for these migrations with the shipped configuration. See `bin/print-schema`.
pub const SCHEMA_FILE: &str = "tests/database/postgres/schema.rs";

/// Selects all columns from the catalogue. Types have the names that `diesel` uses.
pub const COLUMNS: &str = "
    select table_name::text, column_name::text, initcap(udt_name) as type_name, is_nullable = 'YES' as is_nullable,
           exists (select from pg_index where indrelid = table_name::regclass and indisprimary
                   and ordinal_position = any (indkey)) as is_key,
           character_maximum_length::bigint as max_length
    from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position";

/// The kind of these guards.
pub const GUARD_KIND: GuardKind = GuardKind::Domain;

/// The constraint that refuses a value in this column of `people`.
pub fn guard(_column: &str) -> String {
    "value_is_encrypted".into()
}

pub fn is_check_violation(kind: DatabaseErrorKind) -> bool {
    matches!(kind, DatabaseErrorKind::CheckViolation)
}
