//! Encryption keys, the sources they are read from, and the keyring of the process.

pub(crate) mod error;
pub(crate) mod fernet;
pub(crate) mod folder;
pub(crate) mod global;
pub(crate) mod key;
pub(crate) mod keyring;
pub(crate) mod keyring_error;
#[cfg(feature = "reencrypt")]
pub(crate) mod rotation;
pub(crate) mod source;
pub(crate) mod text;

pub(crate) use error::Error;
#[cfg(feature = "reencrypt")]
pub(crate) use error::debug_is_display;
pub(crate) use fernet::{Sealed, Token};
#[cfg(feature = "reencrypt")]
pub(crate) use key::Fingerprint;
pub(crate) use keyring::Keyring;
#[cfg(feature = "reencrypt")]
pub(crate) use rotation::{Opened, Opener, Rotation, Sealer};
