//! Compares the catalogue of a database, and samples of its columns, with the columns that are declared as encrypted,
//! so that no column is forgotten.
//!
//! ```text
//! database   people.email  gAAAAABrBG7hO5Ne…     schema file   email -> EncryptedText
//!            people.note   gAAAAABrBG7iXk1q…                   note -> Text              undeclared
//!            people.phone  +44 20 7946 0000                    phone -> EncryptedText    plaintext, unguarded
//! ```
//!
//! It samples every text and binary column of the user's tables, and on SQLite every column:
//!
//! * 100 rows from each end of the primary key, or any 200 rows if there is no primary key.
//! * If a column is `NULL` in all of these, the first values in 100,000 rows.
//!
//! It recognizes tokens by their shape, so it needs no keys. It writes nothing. No part of a value leaves the
//! database unless it begins as a token does, and a [`Finding`] carries no value.
//!
#![cfg_attr(feature = "cli-sqlite", doc = "```")]
#![cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
//! use diesel::prelude::*;
//! use diesel::r2d2::{ConnectionManager, Pool};
//! use diesel_encrypted::discover::{Discovery, FindingKind};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let url = folder.path().join("db.sqlite").display().to_string();
//! let pool = Pool::builder().max_size(1).build(ConnectionManager::<SqliteConnection>::new(url))?;
//! diesel::sql_query("create table people (id integer primary key, email text unique)").execute(&mut pool.get()?)?;
//!
//! let discovered = Discovery::new().declared(["people.email".parse()?]).run(&pool)?;
//! let kinds: Vec<String> = discovered.findings.iter().map(|finding| finding.kind.to_string()).collect();
//! assert_eq!(kinds, ["unguarded", "useless index"]);
//! # Ok(())
//! # }
//! ```
//!
//! # What it cannot see
//!
//! * Tables that the database does not show to this user. MySQL, for example, hides tables for which the user has no
//! privilege. A table that the user can see but not read is a finding.
//! * More than the first token inside another value. In JSON, or in the middle of a text, it finds a token as such a
//!   value, which a re-encryption does not rewrite.
//! * What a trigger does in a function that it calls, or with SQL that it builds.
//! * Copies outside the tables of this database: foreign tables, replicas, backups, caches.

// Without a backend, most of it is unused.
#![cfg_attr(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

pub(crate) mod copies;
pub(crate) mod discovered;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod finding;
pub(crate) mod judge;
pub(crate) mod references;
pub(crate) mod register;
pub(crate) mod sample;

pub use discovered::{ColumnFound, Discovered};
pub use discovery::Discovery;
pub use error::DiscoverError;
pub use finding::{Finding, FindingKind, FindingRemedy};
