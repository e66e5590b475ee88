//! Guards in the database, which refuse plaintext from every writer.
//!
//! ```text
//! PostgreSQL        the column's type is the domain encrypted_text or encrypted_binary; or a CHECK that casts to it
//! MySQL, MariaDB    CHECK (LENGTH(email) >= 100 AND … AND email LIKE 'gAAAA%' AND …)
//! SQLite            CHECK (typeof(email) = 'text' AND length(email) >= 100 AND … AND email GLOB 'gAAAA*' AND …)
//! ```
//!
//! A guard knows the shape of a token, but no keys. [`of`] finds the guard of a column in the catalogue. [`migrations`]
//! writes the Diesel migrations that add guards to existing columns.

// Each database needs a different part of this module.
#![cfg_attr(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

pub(crate) mod error;
pub(crate) mod generate;
pub(crate) mod lookup;
pub(crate) mod migration;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
pub(crate) mod names;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod refusal;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod table;
pub(crate) mod writer;

pub use crate::database::guard_kind::GuardKind;
pub use error::GuardError;
pub use generate::migrations;
pub use lookup::of;
pub use migration::{GuardMigration, Way};
pub use refusal::{GuardRefusal, GuardRemedy};
pub use writer::GuardWriter;
