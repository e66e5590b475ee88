//! Guards in the database: what refuses plaintext, whoever writes it.
//!
//! ```text
//! PostgreSQL        the column's type is the domain encrypted_text or encrypted_binary; or a CHECK that casts to it
//! MySQL, MariaDB    CHECK (LENGTH(email) >= 100 AND … AND email LIKE 'gAAAA%' AND …)
//! SQLite            CHECK (typeof(email) = 'text' AND length(email) >= 100 AND … AND email GLOB 'gAAAA*' AND …)
//! ```
//!
//! A guard knows the shape of a token and no keys. [`of`] finds the one of a column in the catalogue; [`migrations`]
//! writes the Diesel migrations that put guards on the columns of existing tables.

// What one database does not need, another does.
#![cfg_attr(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

mod error;
mod find;
mod migration;
#[cfg(feature = "mysql")]
mod mysql;
mod names;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

pub use crate::reencrypt::guard_kind::GuardKind;
pub use error::GuardError;
pub use find::of;
pub use migration::{GuardMigration, Way, migrations};
pub use table::GuardWriter;
