//! The check that the keyring, the schema and the data belong together when an application starts.

pub(crate) mod check;
pub(crate) mod error;
pub(crate) mod key_order;

pub use check::{StartupCheck, StartupReport};
pub use error::StartupError;
