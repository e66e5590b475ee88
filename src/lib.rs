//! TODO guide
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]
#![warn(unreachable_pub)]
// One level for each column of the widest table that Diesel knows, see `target/table.rs`.
#![recursion_limit = "256"]

// keys
mod global;
mod key;
mod keyring;
mod source;
mod token;

// values
mod backend;
mod bind;
mod column;
mod encrypted;
mod error;
#[cfg(feature = "serde")]
pub mod expose;
mod multi;
mod plaintext;
pub mod sql_types;

// the task
#[cfg(feature = "reencrypt")]
pub mod reencrypt;
#[cfg(feature = "reencrypt")]
mod target;

pub use backend::TokenBackend;
pub use bind::{ComparableInSql, EncryptedBind};
pub use column::{Form, TokenColumn, TokenType};
pub use encrypted::Encrypted;
pub use error::Error;
pub use global::AlreadyInstalled;
pub use key::{Fingerprint, InvalidKey, Key};
pub use keyring::Keyring;
#[cfg(feature = "json")]
pub use plaintext::Json;
pub use plaintext::Plaintext;
pub use source::KeyringError;
#[cfg(feature = "schema-file")]
pub use target::SchemaFileError;
#[cfg(all(feature = "reencrypt", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub use target::{ColumnTuple, NoEncryptedColumns, TableNames};
#[cfg(feature = "reencrypt")]
pub use target::{InvalidTarget, TableName, Target};
pub use token::{raw_token_len, token_len};
