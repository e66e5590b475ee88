//! The error of reading or writing one value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use diesel::result::Error as DieselError;

use crate::keys::keyring_error::KeyringError;

/// Why a value could not be read or written.
///
/// It carries no data: no plaintext, no token, no key.
///
/// When loading, Diesel wraps it in a [`DeserializationError`](diesel::result::Error::DeserializationError) that names
/// the column (except for `QueryableByName`). When writing, Diesel wraps it in a
/// [`SerializationError`](diesel::result::Error::SerializationError). [`Error::find`] unwraps it.
#[derive(Debug, Clone)]
pub struct Error(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Decrypt,
    Decode(&'static str),
    Encode(&'static str),
    Keyring(Arc<KeyringError>),
}

impl Error {
    /// The error for bytes that a [`Plaintext`](crate::Plaintext) cannot read.
    ///
    /// `expected` describes a valid value, such as "a decimal integer".
    #[must_use]
    pub fn decode(expected: &'static str) -> Self {
        Self(Kind::Decode(expected))
    }

    /// The error for a [`Plaintext`](crate::Plaintext) value that has no form in bytes.
    ///
    /// `reason` explains why, without quoting the value.
    #[must_use]
    pub fn encode(reason: &'static str) -> Self {
        Self(Kind::Encode(reason))
    }

    pub(crate) fn decrypt() -> Self {
        Self(Kind::Decrypt)
    }

    /// Whether the value cannot be read with this keyring.
    ///
    /// Fernet cannot distinguish a token under an unknown key from a damaged token, and an error message should not
    /// reveal the difference. So there is one error for both.
    ///
    /// ```
    /// use diesel_encrypted::{Key, Keyring};
    ///
    /// let ours = Keyring::new([Key::generate()]).unwrap();
    /// let theirs = Keyring::new([Key::generate()]).unwrap();
    /// let token = theirs.encrypt(b"secret");
    /// assert!(ours.decrypt(token.as_bytes()).unwrap_err().is_decrypt());
    /// ```
    #[must_use]
    pub fn is_decrypt(&self) -> bool {
        matches!(self.0, Kind::Decrypt)
    }

    /// Whether the value was decrypted but does not have the field's type.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.0, Kind::Decode(_))
    }

    /// Whether there is no usable keyring.
    ///
    /// The [source](StdError::source) is then a [`KeyringError`].
    #[must_use]
    pub fn is_keyring(&self) -> bool {
        matches!(self.0, Kind::Keyring(_))
    }

    /// Finds the error of this crate in a chain of sources, such as the chain of a [`diesel::result::Error`].
    ///
    /// ```
    /// use diesel::result::Error::DeserializationError;
    /// use diesel_encrypted::Error;
    ///
    /// let error = DeserializationError(Box::new(Error::decode("a decimal integer")));
    /// assert!(Error::find(&error).is_some_and(Error::is_decode));
    /// assert!(Error::find(&diesel::result::Error::NotFound).is_none());
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = match error.downcast_ref() {
                // Diesel's `source` skips the error inside and returns that error's source.
                Some(DieselError::SerializationError(inner) | DieselError::DeserializationError(inner)) => {
                    Some(inner.as_ref())
                }
                _ => error.source(),
            };
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Decrypt => f.write_str(
                "this value cannot be read with this keyring: it is not a token, it is damaged, \
                 or its key is not in the keyring (Fernet cannot distinguish these cases)",
            ),
            Kind::Decode(expected) => write!(f, "the value is not {expected}"),
            Kind::Encode(reason) => write!(f, "the value cannot be stored: {reason}"),
            Kind::Keyring(_) => f.write_str("there is no keyring to encrypt or decrypt with"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Kind::Keyring(error) => Some(error.as_ref()),
            Kind::Decrypt | Kind::Decode(_) | Kind::Encode(_) => None,
        }
    }
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        Self(Kind::Keyring(Arc::new(error)))
    }
}
