//! The check when an application starts: whether the keyring, the schema and the data belong together.

pub(crate) mod check;
pub(crate) mod error;
pub(crate) mod key_order;

pub use check::{StartupCheck, StartupReport};
pub use error::StartupError;
