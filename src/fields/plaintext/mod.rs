//! The types that an encrypted field can hold, and their bytes before encryption.

pub(crate) mod borrowed;
pub(crate) mod buffer;
pub(crate) mod bytes;
#[cfg(feature = "chrono")]
pub(crate) mod chrono;
#[cfg(any(feature = "bigdecimal", feature = "rust_decimal"))]
pub(crate) mod decimal;
#[cfg(feature = "jiff")]
pub(crate) mod jiff;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod scalars;
#[cfg(feature = "secrecy")]
pub(crate) mod secrecy;
#[cfg(feature = "time")]
pub(crate) mod time;
#[cfg(feature = "url")]
pub(crate) mod url;
#[cfg(feature = "uuid")]
pub(crate) mod uuid;

pub use bytes::{Encode, Plaintext};
#[cfg(feature = "json")]
pub use json::Json;
