//! Encrypted columns for [Diesel](diesel).
//!
//! A model declares `Encrypted<String>`; the database only ever holds Fernet tokens; one process-wide keyring holds the
//! keys. When a key is rotated, one task re-encrypts every table batch by batch while the application keeps running,
//! and proves that the old key may go.
//!
//! ```text
//! model       email: Encrypted<String>     "ada@example.org"
//! database    email text                   gAAAAABrBG7hO5NeJwFWRmXadpiY7XBr29Nec…   Fernet(primary key, UTF-8)
//! keyring     DB_ENCRYPTION_KEYS=new:old   the first key encrypts, every key decrypts
//! ```
//!
//! # Declaring columns
//!
//! In the schema, an encrypted column is of the type [`EncryptedText`](sql_types::EncryptedText) (a token as text, in a
//! `text` or `varchar` column) or [`EncryptedBinary`](sql_types::EncryptedBinary) (its raw bytes, in a `bytea`, `blob` or
//! `varbinary` column, a quarter smaller). In the model, it is an [`Encrypted<T>`](Encrypted); `T` is anything that is
//! [`Plaintext`].
//!
#![cfg_attr(feature = "cli-sqlite", doc = "```")]
#![cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
//! use diesel::prelude::*;
//! use diesel_encrypted::{Encrypted, Key, Keyring};
//!
//! diesel::table! {
//!     use diesel::sql_types::*;
//!     use diesel_encrypted::sql_types::*;
//!
//!     users (id) {
//!         id -> Integer,
//!         email -> EncryptedText,
//!         phone -> Nullable<EncryptedText>,
//!     }
//! }
//!
//! #[derive(Queryable, Selectable, Insertable)]
//! #[diesel(table_name = users)]
//! struct User {
//!     email: Encrypted<String>,
//!     phone: Option<Encrypted<i64>>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! Keyring::new([Key::generate()])?.install()?;
//!
//! let conn = &mut SqliteConnection::establish(":memory:")?;
//! # diesel::sql_query("create table users (id integer primary key, email text not null, phone text)").execute(conn)?;
//! let user = User { email: Encrypted::from("ada@example.org".to_string()), phone: None };
//! diesel::insert_into(users::table).values(&user).execute(conn)?;
//!
//! let user: User = users::table.select(User::as_select()).first(conn)?;
//! assert_eq!(*user.email, "ada@example.org");
//! # Ok(())
//! # }
//! ```
//!
//! A column that still holds plaintext, or is to hold plaintext again, is read and written by [`Adopting<T>`](Adopting)
//! and [`Leaving<T>`](Leaving). A list that shall survive a value that cannot be read loads it as
//! [`Decrypted<T>`](Decrypted).
//!
//! `Encrypted<T>` also serves columns that the schema declares as plain `Text` or `Binary`; then the compiler no longer
//! refuses plaintext in other statements on that column. A token is longer than its plaintext: [`token_len`] gives the
//! length for `VARCHAR(n)`.
//!
//! # Keys
//!
//! A [`Key`] is 32 bytes in base64url, as Python's `cryptography` and the program's `keygen` make it. A [`Keyring`] is an
//! ordered list of them. The application calls [`Keyring::install`] early in `main`, or leaves it to the first use to
//! read the environment ([`Keyring::from_env`]): `DB_ENCRYPTION_KEYS`, `PINAKES_DB_ENCRYPTION_KEYS`, or the file that
//! `DB_ENCRYPTION_KEYS_FILE` names. [`Keyring::replace`] changes it while the process runs, [`Keyring::scope`] for the
//! current thread only. Keys are shown as [fingerprints](Key::fingerprint), never as text.
//!
//! Early in `main` a [`StartupCheck`](reencrypt::StartupCheck) (feature `reencrypt`) tells whether the keyring, the schema
//! and the data belong together:
//! `StartupCheck::new(Keyring::current()?).target(Target::of(users::table)?).run(&pool)?;`
//!
//! # Rotation
//!
//! 1. Make a key (`diesel-encrypted keygen`) and put it in front: `DB_ENCRYPTION_KEYS=new:old`. Restart every process
//!    of the application, or let each call [`Keyring::replace`]. New values are now under the new key.
//! 2. Run the task: `diesel-encrypted reencrypt`, or [`reencrypt::Task`] from the application itself (feature
//!    `reencrypt`). It may be stopped, killed and run again at any time.
//! 3. It ends with exit code 0, an outcome of `proven` and no problems: nothing is under another key.
//! 4. Remove the old key from `DB_ENCRYPTION_KEYS`. Keep it as long as you keep backups from before.
//!
//! Where several processes encrypt, first add the new key *behind* the old one everywhere (`old:new`), then put it in
//! front: otherwise a process that has it writes what one that has not cannot read.
//!
//! # What is refused, and why
//!
//! | mistake | refused by |
//! |---|---|
//! | plaintext written to an `EncryptedText` column, or such a column loaded as `String` | the compiler |
//! | an encrypted value compared in a filter: two encryptions of the same value differ, it would never match | the compiler |
//! | a type that has no plaintext form, a column that cannot hold a token | the compiler |
//! | plaintext written past the application, a token cut off by a column too short | the database: a domain on PostgreSQL, a `CHECK` elsewhere (`migrations/`) |
//! | an unreadable value taken for plaintext, or encrypted a second time | nothing is guessed: an error, and the row is listed |
//! | a re-encrypt task without targets, or with the wrong keyring | the task, before it writes |
//! | an application started with the wrong keyring, or with an old key in front | [`StartupCheck`](reencrypt::StartupCheck) |
//!
//! Not refused, for there Diesel leaves no room to: `filter(nullable_column.eq(Some(encrypted)))`, a comparison in
//! `having(…)` or in the `on(…)` of a join, and the filter of an `update(table).filter(…)` or
//! `delete(table).filter(…)`. They match nothing, and their negation (`ne`) matches everything. Comparing, ordering or
//! grouping columns with each other compiles, and works on tokens, not on values.
//!
//! # What Fernet does not give
//!
//! * A token is not bound to its row or column: who can write to the database can move tokens between rows.
//! * The length of a value (to 16 bytes) and the second in which it was encrypted are visible in its token.
//! * Equal values have different tokens: no lookup, no unique index, no order. Keep a keyed hash in a second column for
//!   that.
//! * AES-128-CBC with HMAC-SHA256, both keys random: sound, and older than today's AEAD ciphers.
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `postgres`, `mysql`, `sqlite` | the Diesel traits for a backend; the first two link no client library |
//! | `json`, `chrono`, `time`, `uuid`, `secrecy` | more types of [`Plaintext`] |
//! | `serde` | `Deserialize`, and `Serialize` by [`expose`] |
//! | `full` | all of the types above |
//! | `reencrypt` | the task |
//! | `schema-file` | targets from a schema file |
//! | `cli-postgres`, `cli-mysql`, `cli-sqlite` | the program, with these databases |
//!
//! With diesel-async nothing changes: the same models work on its connections. The task wants a connection pool of
//! Diesel's own; call it in `spawn_blocking`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]
#![warn(unreachable_pub)]
// One level for each column of the widest table that Diesel knows, see `target/table.rs`.
#![recursion_limit = "256"]

mod fields;
mod keys;

#[cfg(feature = "reencrypt")]
mod database;
#[cfg(feature = "reencrypt")]
pub mod discover;
#[cfg(feature = "reencrypt")]
pub mod guard;
pub mod guide;
#[cfg(feature = "reencrypt")]
pub mod reencrypt;
#[cfg(feature = "reencrypt")]
mod startup;
#[cfg(feature = "reencrypt")]
mod targets;

pub use fields::adopting::Adopting;
pub use fields::backend::TokenBackend;
pub use fields::bind::{ComparableInSql, EncryptedBind};
pub use fields::column::{Form, PlainColumn, TokenColumn, TokenType};
pub use fields::decrypted::Decrypted;
pub use fields::encrypted::Encrypted;
#[cfg(feature = "serde")]
pub use fields::expose;
pub use fields::leaving::Leaving;
#[cfg(feature = "json")]
pub use fields::plaintext::Json;
pub use fields::plaintext::Plaintext;
pub use fields::sql_types;
pub use keys::error::Error;
pub use keys::fernet::token::{raw_token_len, token_len};
pub use keys::global::AlreadyInstalled;
pub use keys::key::{Fingerprint, InvalidFingerprint, InvalidKey, Key};
pub use keys::keyring::Keyring;
pub use keys::keyring_error::KeyringError;
#[cfg(feature = "schema-file")]
pub use targets::SchemaFileError;
#[cfg(all(feature = "reencrypt", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub use targets::{ColumnTuple, TableNames, UnsuitableTable};
#[cfg(feature = "reencrypt")]
pub use targets::{InvalidTarget, TableName, Target};
