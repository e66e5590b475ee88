//! Traits that you meet in signatures and compiler messages. You need not name or implement them.

#[cfg(feature = "serde")]
pub use crate::fields::accident::SerializeOnlyWithExpose;
pub use crate::fields::accident::{ComparableInSql, PrintedByAccident, TakesPlaintext};
pub use crate::fields::backend::TokenBackend;
pub use crate::fields::bind::EncryptedBind;
pub use crate::fields::column::{Form, PlainColumn, TokenColumn, TokenType};
pub use crate::fields::loaded::Loaded;
pub use crate::fields::plaintext::Encode;
#[doc(hidden)]
pub use crate::fields::plaintext::buffer::text_of;
#[doc(hidden)]
pub use crate::fields::plaintext::scalars::read_text;
#[cfg(all(feature = "reencrypt", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub use crate::targets::{ColumnTuple, TableNames};
