//! Encrypted columns for [Diesel](diesel).
//!
//! A model declares `Encrypted<String>`, and the database only ever holds Fernet tokens. One keyring for the whole process
//! holds the keys. After a key rotation, a task re-encrypts every table in batches while the application keeps running. Then
//! it proves that no value needs the old key.
//!
//! ```text
//! model       email: Encrypted<String>     "ada@example.org"
//! database    email text                   gAAAAABrBG7hO5NeJwFWRmXadpiY7XBr29Nec…   Fernet(primary key, UTF-8)
//! keyring     DB_ENCRYPTION_KEYS=new:old   the first key encrypts, every key decrypts
//! ```
//!
//! # Where to find things
//!
//! | you want to | use |
//! |---|---|
//! | declare an encrypted column in the schema | [`EncryptedText`](sql_types::EncryptedText), [`EncryptedBinary`](sql_types::EncryptedBinary) |
//! | declare its field in the model | [`Encrypted<T>`](Encrypted) |
//! | encrypt a type of your own | [`Plaintext`], [`plaintext_as_text!`] |
//! | find the length for `VARCHAR(n)` or `VARBINARY(n)` | [`token_len`], [`raw_token_len`] |
//! | load a list although some of its values cannot be read | [`Decrypted<T>`](Decrypted) |
//! | read and write a column while it is being encrypted or decrypted | [`Adopting<T>`](Adopting), [`Leaving<T>`](Leaving) |
//! | serialize a field | [`expose`] (feature `serde`) |
//! | use `#[derive(MultiConnection)]` | [`multi_backend!`] |
//! | generate a key | [`Key::generate`] |
//! | set the keys of the process, or change them | [`Keyring::install`], [`Keyring::replace`] |
//! | use other keys in one thread, in a test for example | [`Keyring::scope`] |
//! | check the keys when the application starts | [`startup::StartupCheck`] |
//! | re-encrypt, encrypt or decrypt existing values | [`reencrypt::Task`] |
//! | know whether an old key may be removed | [`Report::old_keys_may_go`](reencrypt::Report::old_keys_may_go), [`Task::retire`](reencrypt::Task::retire) |
//! | run the task as a Diesel migration | [`reencrypt::ReencryptMigration`] |
//! | pause, resume or stop the task in all processes | [`reencrypt::Control`] |
//! | name the tables and columns for all of these | [`Target`] |
//! | let the database refuse values that are not tokens | [`guard`] |
//! | find columns that you forgot to declare | [`discover`] |
//!
//! The last eight need the feature `reencrypt`. [`bounds`] holds the traits that you meet in compiler messages only.
//!
//! # Declaring columns
//!
//! In the schema, an encrypted column has the type [`EncryptedText`](sql_types::EncryptedText) or
//! [`EncryptedBinary`](sql_types::EncryptedBinary). The first stores tokens as text, in a `text` or `varchar` column. The
//! second stores their raw bytes, in a `bytea`, `blob` or `varbinary` column, which takes a quarter less space. In the
//! model, the field is an [`Encrypted<T>`](Encrypted), where `T` is any [`Plaintext`] type.
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
//! `Encrypted<T>` also works with columns that the schema declares as plain `Text` or `Binary`. But then the compiler
//! does not refuse plaintext in statements on that column.
//!
//! # Keys
//!
//! A [`Key`] is 32 bytes in base64url, the same form that Python's `cryptography` uses. A [`Keyring`] is an ordered list of
//! keys: the first one is the primary key and encrypts, and every key decrypts.
//!
//! Call [`Keyring::install`] early in `main`. If you do not, the first use of a key reads the environment
//! ([`Keyring::from_env`]): `DB_ENCRYPTION_KEYS`, `PINAKES_DB_ENCRYPTION_KEYS`, the file that
//! `DB_ENCRYPTION_KEYS_FILE` names, or the folder that `DB_ENCRYPTION_KEYS_FOLDER` names. [`Keyring::replace`] changes the keys while the process runs. [`Keyring::scope`]
//! uses other keys in the current thread only. Messages show the [fingerprint](Key::fingerprint) of a key, never the
//! key.
//!
//! Early in `main`, a [`StartupCheck`](startup::StartupCheck) (feature `reencrypt`) checks that the keyring and the
//! schema match the data:
//!
//! ```text
//! StartupCheck::new(Keyring::current()?).target(Target::of(users::table)?).run(&pool)?;
//! ```
//!
//! # Rotation
//!
//! 1. Generate a key ([`Key::generate`]), and add it to the keyring of every process as a secondary key, `old:new`.
//!    Every process can then read the values that others will write under it.
//! 2. Make it the primary key everywhere, `new:old`: restart the processes, or let each call [`Keyring::replace`].
//! 3. Run a [`reencrypt::Task`]. You can stop or kill it at any time, and run it again.
//! 4. If [`Report::old_keys_may_go`](reencrypt::Report::old_keys_may_go) returns `true`, remove the old key from the
//!    keyring. Store the key for as long as you keep backups from before the rotation.
//!
//! The program `diesel-encrypted` (features `cli-postgres`, `cli-mysql`, `cli-sqlite`) does the same from the command line.
//!
//! # Mistakes that are refused
//!
//! | mistake | refused by |
//! |---|---|
//! | plaintext written to an `EncryptedText` column, or such a column loaded as `String` | the compiler |
//! | an encrypted value compared in a filter, where it would never match, because two encryptions of the same value differ | the compiler |
//! | a type without a plaintext form, a column that cannot hold a token | the compiler |
//! | plaintext written by another program, a token truncated by a column that is too short | the database: a domain on PostgreSQL, a `CHECK` elsewhere ([`guard`]) |
//! | an unreadable value taken for plaintext, or encrypted a second time | the task and the field types: they return or list an error, and never guess |
//! | a task without targets, or with the wrong keyring | the task, before it writes |
//! | an application started with the wrong keyring, or with an old primary key | [`StartupCheck`](startup::StartupCheck) |
//!
//! Diesel does not let a crate refuse these comparisons: `filter(nullable_column.eq(Some(encrypted)))`, a comparison in
//! `having(…)` or in the `on(…)` of a join, and the filter of an `update(table).filter(…)` or
//! `delete(table).filter(…)`. They match nothing, and their negation (`ne`) matches everything. You can also compare,
//! order or group by the columns themselves. The database then works on the tokens, not on the values.
//!
//! # What Fernet does not give
//!
//! * A token is not bound to its row or column. Anyone who can write to the database can move tokens between rows.
//! * A token shows the length of its value (to 16 bytes) and the second in which it was encrypted.
//! * Equal values have different tokens, so there is no lookup, no unique index and no order. For these, keep a keyed hash in
//!   a second column.
//! * Fernet is AES-128-CBC with HMAC-SHA256, each with a random key. This combination is sound, but older than AEAD
//!   ciphers.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `postgres`, `mysql`, `sqlite` | the Diesel traits for a backend; the first two link no client library |
//! | `json`, `bigdecimal`, `chrono`, `jiff`, `rust_decimal`, `secrecy`, `time`, `url`, `uuid` | more [`Plaintext`] types |
//! | `serde` | `Deserialize` for the field types, and [`expose`] to serialize a field |
//! | `full` | all of the types above |
//! | `reencrypt` | the task, the check at the start, guards and discovery |
//! | `schema-file` | targets from a schema file |
//! | `cli-postgres`, `cli-mysql`, `cli-sqlite` | the program, with these databases |
//!
//! The same models work on the connections of diesel-async. The task needs a connection pool of Diesel itself: call it
//! in `spawn_blocking`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]
#![warn(unreachable_pub)]
// The macro in `targets/table.rs` needs one level for each column of Diesel's widest table.
#![recursion_limit = "256"]

pub mod bounds;
mod fields;
mod keys;

#[cfg(feature = "reencrypt")]
mod database;
#[cfg(feature = "reencrypt")]
pub mod discover;
#[cfg(feature = "reencrypt")]
pub mod guard;
pub mod guide;
mod multi;
#[cfg(feature = "reencrypt")]
pub mod reencrypt;
#[cfg(feature = "reencrypt")]
pub mod startup;
#[cfg(feature = "reencrypt")]
mod targets;

pub use fields::adopting::Adopting;
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
pub use targets::UnsuitableTable;
#[cfg(feature = "reencrypt")]
pub use targets::{InvalidTarget, TableName, Target, printable};
