//! Fernet, byte for byte: the token and its IV. Only these files and `key.rs` know the format.

pub(crate) mod iv;
pub(crate) mod token;
