//! What can go wrong with one value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use diesel::result::Error as DieselError;

use crate::keys::keyring_error::KeyringError;

/// Why a value could not be read or written.
///
/// It carries no data: no plaintext, no token, no key. Diesel wraps it in a
/// [`DeserializationError`](diesel::result::Error::DeserializationError) when loading, naming the column (but not for
/// `QueryableByName`), and in a [`SerializationError`](diesel::result::Error::SerializationError) when writing.
/// [`Error::find`] gets it back.
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
    /// The bytes are not the value that a [`Plaintext`](crate::Plaintext) expects; `expected` names it
    /// ("a decimal integer").
    #[must_use]
    pub fn decode(expected: &'static str) -> Self {
        Self(Kind::Decode(expected))
    }

    /// A [`Plaintext`](crate::Plaintext) cannot be turned into bytes; `reason` says why without quoting it.
    #[must_use]
    pub fn encode(reason: &'static str) -> Self {
        Self(Kind::Encode(reason))
    }

    pub(crate) fn decrypt() -> Self {
        Self(Kind::Decrypt)
    }

    /// Whether the value cannot be read with this keyring.
    ///
    /// Fernet cannot tell a token under an unknown key from a damaged one, nor should a reader of error messages be
    /// able to: there is one answer for all of them.
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

    /// Whether the value could be read, but is not of the field's type.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.0, Kind::Decode(_))
    }

    /// Whether there is no usable keyring; the [source](StdError::source) is a [`KeyringError`].
    #[must_use]
    pub fn is_keyring(&self) -> bool {
        matches!(self.0, Kind::Keyring(_))
    }

    /// Finds the error of this crate in a chain of sources, such as that of a [`diesel::result::Error`].
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
                // Diesel's `source` of these is that of the error inside: it passes over the error itself.
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
                 or its key is not in the keyring (these cannot be told apart)",
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
