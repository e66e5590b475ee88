//! What a user of PostgreSQL copies, and how its guards speak.

use diesel::result::DatabaseErrorKind;
use diesel_encrypted::guard::GuardKind;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
/// What `diesel` prints of them, with the configuration that is shipped: see `bin/print-schema`.
pub const SCHEMA_FILE: &str = "tests/database/postgres/schema.rs";

/// All columns in the catalogue, with the names that `diesel` has for their types.
pub const COLUMNS: &str = "
    select table_name::text, column_name::text, initcap(udt_name) as type_name, is_nullable = 'YES' as is_nullable,
           exists (select from pg_index where indrelid = table_name::regclass and indisprimary
                   and ordinal_position = any (indkey)) as is_key,
           character_maximum_length::bigint as max_length
    from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position";

/// What the guards are to the catalogue.
pub const GUARD_KIND: GuardKind = GuardKind::Domain;

/// The constraint that a refused value of this column of `people` violates.
pub fn guard(_column: &str) -> String {
    "value_is_encrypted".into()
}

pub fn is_check_violation(kind: DatabaseErrorKind) -> bool {
    matches!(kind, DatabaseErrorKind::CheckViolation)
}
