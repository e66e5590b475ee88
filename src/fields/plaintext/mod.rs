//! What an encrypted field may hold, as the bytes that are encrypted.

#[macro_use]
pub(crate) mod bytes;
#[cfg(feature = "chrono")]
pub(crate) mod chrono;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod scalars;
#[cfg(feature = "secrecy")]
pub(crate) mod secrecy;
#[cfg(feature = "time")]
pub(crate) mod time;
#[cfg(feature = "uuid")]
pub(crate) mod uuid;

pub use bytes::Plaintext;
#[cfg(feature = "json")]
pub use json::Json;
