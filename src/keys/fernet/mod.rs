//! Fernet, byte for byte: the token, its IV and its shape. Only these files and `key.rs` know the format.

pub(crate) mod iv;
pub(crate) mod shape;
pub(crate) mod token;
