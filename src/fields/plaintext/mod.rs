//! The types that an encrypted field can hold, and their bytes before encryption.

#[macro_use]
pub(crate) mod bytes;
pub(crate) mod buffer;
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
