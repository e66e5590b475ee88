//! The error of reading or writing one value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use diesel::result::Error as DieselError;

use crate::keys::keyring_error::KeyringError;

/// Implements `Debug` as the sentence of `Display`: Rust prints an error that `main` returns with `Debug`.
macro_rules! debug_is_display {
    ($($error:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}
pub(crate) use debug_is_display;

/// Why a value could not be read or written.
///
/// It carries no data: no plaintext, no token, no key.
///
/// When loading, Diesel wraps it in a [`DeserializationError`](diesel::result::Error::DeserializationError), and when
/// writing, in a [`SerializationError`](diesel::result::Error::SerializationError). The message of these errors is this
/// error's, which names the column when loading. But for a field that is an `Option` or a `Vec`, Diesel's message names
/// the column only: `Error deserializing field 'phone'`. Its `Debug` form and its sources contain this error, and
/// [`Error::find`] finds it in every case.
#[derive(Clone)]
pub struct Error {
    kind: Kind,
    /// The column, if it is known.
    column: Option<Box<str>>,
}

debug_is_display!(Error);

#[derive(Clone)]
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
        Kind::Decode(expected).into()
    }

    /// The error for a [`Plaintext`](crate::Plaintext) value that has no form in bytes.
    ///
    /// `reason` explains why, without quoting the value.
    #[must_use]
    pub fn encode(reason: &'static str) -> Self {
        Kind::Encode(reason).into()
    }

    pub(crate) fn decrypt() -> Self {
        Kind::Decrypt.into()
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
        matches!(self.kind, Kind::Decrypt)
    }

    /// Whether the value was decrypted but does not have the field's type.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.kind, Kind::Decode(_))
    }

    /// Whether there is no usable keyring. See [`keyring_error`](Error::keyring_error) for the reason.
    #[must_use]
    pub fn is_keyring(&self) -> bool {
        self.keyring_error().is_some()
    }

    /// Why there is no usable keyring, if that is the problem.
    #[must_use]
    pub fn keyring_error(&self) -> Option<&KeyringError> {
        match &self.kind {
            Kind::Keyring(error) => Some(error),
            Kind::Decrypt | Kind::Decode(_) | Kind::Encode(_) => None,
        }
    }

    /// The same error, in this column.
    pub(crate) fn in_column(self, column: Option<&str>) -> Self {
        Self { column: column.map(Into::into), ..self }
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
        if let Some(column) = &self.column {
            write!(f, "the column {} cannot be read: ", column.escape_debug())?;
        }
        match &self.kind {
            Kind::Decrypt => f.write_str(
                "this value cannot be read with this keyring: it is not a token, it is damaged, \
                 or its key is not in the keyring (Fernet cannot distinguish these cases)",
            ),
            Kind::Decode(expected) => write!(f, "the value is not {expected}"),
            Kind::Encode(reason) => write!(f, "the value cannot be stored: {reason}"),
            Kind::Keyring(error) => write!(f, "there is no keyring to encrypt or decrypt with: {error}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message contains that of the keyring's error.
        self.keyring_error().and_then(StdError::source)
    }
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        Kind::Keyring(Arc::new(error)).into()
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind, column: None }
    }
}
