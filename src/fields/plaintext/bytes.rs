//! What an encrypted column can hold.

/// Types whose `Display` is what their `FromStr` reads back.
macro_rules! plaintext_as_text {
    ($($type:ty => $expected:literal),+ $(,)?) => {$(
        impl $crate::fields::plaintext::Plaintext for $type {
            fn encode(&self) -> Result<std::borrow::Cow<'_, [u8]>, $crate::keys::error::Error> {
                Ok(std::borrow::Cow::Owned(self.to_string().into_bytes()))
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

use crate::keys::error::Error;

/// A value that can be turned into bytes and back, and so be held by [`Encrypted`](crate::Encrypted).
///
/// | type | bytes before encryption | feature |
/// |---|---|---|
/// | `String`, `char` | UTF-8 | |
/// | `Vec<u8>` | as they are | |
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
/// The bytes are text that other languages read; they are part of what this crate promises to keep.
///
/// What Python's `str` writes is read too, where it is another text for the same value: `True` and `False`, a blank
/// between date and time, moments without a fraction of a second.
///
/// Implement it for a type of your own:
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
    message = "`{Self}` cannot be held by `Encrypted<_>`",
    label = "does not implement `Plaintext`",
    note = "store it as JSON with `Encrypted<Json<{Self}>>`, if it implements serde's `Serialize` and `DeserializeOwned` (feature `json`)",
    note = "or implement `diesel_encrypted::Plaintext` for `{Self}`"
)]
pub trait Plaintext: Sized {
    /// The bytes to encrypt. Owned bytes are zeroed after use.
    ///
    /// # Errors
    ///
    /// [`Error::encode`] if the value has no such form; the statement then fails and nothing is stored.
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error>;

    /// The value from decrypted bytes.
    ///
    /// # Errors
    ///
    /// [`Error::decode`] if the bytes are not such a value.
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
