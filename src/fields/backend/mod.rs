//! The backends that store tokens.

#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod bytes;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod token_backend;

pub use token_backend::TokenBackend;
