//! The Fernet format, byte for byte. Only this folder and `key.rs` contain details of the format.

#[cfg(feature = "reencrypt")]
pub(crate) mod held;
pub(crate) mod iv;
pub(crate) mod shape;
pub(crate) mod token;

#[cfg(feature = "reencrypt")]
pub(crate) use iv::Ivs;
pub(crate) use token::{Cipher, Sealed, Token};
