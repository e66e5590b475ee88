//! Traits that you meet in signatures and compiler messages. You need not name or implement them.

pub use crate::fields::backend::TokenBackend;
pub use crate::fields::bind::{ComparableInSql, EncryptedBind};
pub use crate::fields::column::{Form, PlainColumn, TokenColumn, TokenType};
#[cfg(all(feature = "reencrypt", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub use crate::targets::{ColumnTuple, TableNames};
