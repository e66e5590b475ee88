//! Guards in the database: what refuses plaintext, whoever writes it.
//!
//! [`of`] finds the guard of a column in the catalogue.

pub use crate::reencrypt::guard_kind::{GuardKind, of};
