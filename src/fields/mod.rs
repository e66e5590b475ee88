//! The field types of models and the SQL types of their columns.

pub(crate) mod accident;
pub(crate) mod adopting;
#[cfg(feature = "reencrypt")]
pub(crate) mod array;
pub(crate) mod backend;
pub(crate) mod bind;
pub(crate) mod column;
pub(crate) mod decrypted;
pub(crate) mod encrypted;
#[cfg(feature = "serde")]
pub mod expose;
pub(crate) mod field;
pub(crate) mod leaving;
pub(crate) mod loaded;
pub(crate) mod plaintext;
pub mod sql_types;

#[cfg(feature = "reencrypt")]
pub(crate) use array::Array;
#[cfg(feature = "reencrypt")]
pub(crate) use backend::TokenBackend;
#[cfg(feature = "reencrypt")]
pub(crate) use column::Form;
