//! The trait of the types that an encrypted field can hold.

/// Implements [`Plaintext`] for types whose `FromStr` reads back their `Display`.
macro_rules! plaintext_as_text {
    ($($type:ty => $expected:literal),+ $(,)?) => {$(
        impl $crate::fields::plaintext::Plaintext for $type {
            fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, $crate::keys::error::Error> {
                Ok(std::borrow::Cow::Owned($crate::fields::plaintext::buffer::printed(format_args!("{self}"))))
            }

            fn decode(bytes: Vec<u8>) -> Result<Self, $crate::keys::error::Error> {
                $crate::fields::plaintext::scalars::text(bytes)
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| $crate::keys::error::Error::decode($expected))
            }
        }
    )+};
}

use std::borrow::Cow;

use crate::keys::Error;

/// A value that converts to bytes and back, so that [`Encrypted`](crate::Encrypted) can hold it.
///
/// | type | bytes before encryption | feature |
/// |---|---|---|
/// | `String`, `char` | UTF-8 | |
/// | `Vec<u8>` | unchanged | |
/// | `i8` … `i128`, `u8` … `u128`, `isize`, `usize` | decimal digits: `-42` | |
/// | `f32`, `f64` | the shortest decimal that reads back as the same number: `0.1`, `inf`, `NaN` | |
/// | `bool` | `true`, `false` | |
/// | `Json<T>` | JSON | `json` |
/// | `uuid::Uuid` | `67e55044-10b1-426f-9247-bb680e5fe0c8` | `uuid` |
/// | `chrono::NaiveDate`, `NaiveTime`, `NaiveDateTime` | ISO 8601: `2026-11-23T15:49:38.500` | `chrono` |
/// | `chrono::DateTime<Utc>`, `DateTime<FixedOffset>` | RFC 3339: `2026-11-23T15:49:38.500+01:00` | `chrono` |
/// | `time::Date`, `Time`, `PrimitiveDateTime` | ISO 8601: `2026-11-23T15:49:38.5` | `time` |
/// | `time::OffsetDateTime` | RFC 3339 | `time` |
/// | `secrecy::SecretString` | UTF-8 | `secrecy` |
///
/// Except for `Vec<u8>`, the bytes are text that other languages can read. This form is part of the crate's stable
/// interface.
///
/// Reading also accepts the text that Python's `str` writes for the same value. Examples are `True` and `False`, a
/// space between date and time, and times without a fraction of a second.
///
/// Implement the trait for a type of your own:
///
/// ```
/// use std::borrow::Cow;
/// use diesel_encrypted::{Error, Plaintext};
///
/// struct Iban(String);
///
/// impl Plaintext for Iban {
///     fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
///         self.0.encode()
///     }
///
///     fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
///         String::decode(bytes).map(Self)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`Encrypted<_>` cannot hold `{Self}`",
    label = "does not implement `Plaintext`",
    note = "store it as JSON with `Encrypted<Json<{Self}>>`, if it implements serde's `Serialize` and `DeserializeOwned` (feature `json`)",
    note = "or implement `diesel_encrypted::Plaintext` for `{Self}`"
)]
pub trait Plaintext: Sized {
    /// The bytes to encrypt. Owned bytes are zeroed after use.
    ///
    /// # Errors
    ///
    /// [`Error::encode`] if the value has no form in bytes. The statement then fails and stores nothing.
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error>;

    /// Reads the value from decrypted bytes.
    ///
    /// # Errors
    ///
    /// [`Error::decode`] if the bytes are not a value of this type.
    fn decode(bytes: Vec<u8>) -> Result<Self, Error>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Plaintext;

    /// `decode(encode(x)) == x`
    #[track_caller]
    pub(crate) fn round_trips<T: Plaintext + PartialEq>(value: &T) {
        let bytes = value.encode().unwrap().into_owned();
        assert!(T::decode(bytes).unwrap() == *value);
    }
}
