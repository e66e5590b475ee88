//! The trait of the types that an encrypted field can hold.

use std::borrow::Cow;

use crate::keys::Error;

/// Implements [`Plaintext`] for types whose `FromStr` reads back what their `Display` prints, such as an enum.
///
/// The bytes before encryption are that text. Name each type with a description for the error of a value that cannot be
/// read. `Display` must not fail.
///
/// ```
/// use std::str::FromStr;
///
/// #[derive(Debug, PartialEq)]
/// enum Status {
///     Active,
///     Closed,
/// }
///
/// impl std::fmt::Display for Status {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         f.write_str(match self {
///             Self::Active => "active",
///             Self::Closed => "closed",
///         })
///     }
/// }
///
/// impl FromStr for Status {
///     type Err = ();
///
///     fn from_str(text: &str) -> Result<Self, ()> {
///         match text {
///             "active" => Ok(Self::Active),
///             "closed" => Ok(Self::Closed),
///             _ => Err(()),
///         }
///     }
/// }
///
/// diesel_encrypted::plaintext_as_text! {
///     Status => "a status",
/// }
///
/// use diesel_encrypted::Plaintext;
/// assert_eq!(*Status::Active.encode()?, *b"active");
/// assert_eq!(Status::decode(b"closed".into())?, Status::Closed);
/// assert_eq!(Status::decode(b"open".into()).unwrap_err().to_string(), "the value is not a status");
/// # Ok::<(), diesel_encrypted::Error>(())
/// ```
#[macro_export]
macro_rules! plaintext_as_text {
    ($($type:ty => $expected:literal),+ $(,)?) => {$(
        impl $crate::Plaintext for $type {
            fn encode(&self) -> ::std::result::Result<::std::borrow::Cow<'_, [u8]>, $crate::Error> {
                ::std::result::Result::Ok(::std::borrow::Cow::Owned($crate::bounds::text_of(self)))
            }

            fn decode(bytes: ::std::vec::Vec<u8>) -> ::std::result::Result<Self, $crate::Error> {
                $crate::bounds::read_text(bytes).ok_or_else(|| $crate::Error::decode($expected))
            }
        }
    )+};
}

/// A value that converts to bytes and back, so that [`Encrypted`](crate::Encrypted) can hold it.
///
/// | type | bytes before encryption | feature |
/// |---|---|---|
/// | `String`, `Box<str>`, `Arc<str>`, `Cow<str>`, `char` | UTF-8 | |
/// | `Vec<u8>`, `Box<[u8]>`, `Arc<[u8]>`, `Cow<[u8]>` | unchanged | |
/// | `i8` … `i128`, `u8` … `u128`, `isize`, `usize` | decimal digits: `-42` | |
/// | `f32`, `f64` | the shortest decimal that reads back as the same number: `0.1`, `inf`, `NaN` | |
/// | `bool` | `true`, `false` | |
/// | `Json<T>` | JSON | `json` |
/// | `uuid::Uuid` | `67e55044-10b1-426f-9247-bb680e5fe0c8` | `uuid` |
/// | `chrono::NaiveDate`, `NaiveTime`, `NaiveDateTime` | ISO 8601: `2026-11-23T15:49:38.500` | `chrono` |
/// | `chrono::DateTime<Utc>`, `DateTime<FixedOffset>` | RFC 3339: `2026-11-23T15:49:38.500+01:00` | `chrono` |
/// | `time::Date`, `Time`, `PrimitiveDateTime` | ISO 8601: `2026-11-23T15:49:38.5` | `time` |
/// | `time::OffsetDateTime` | RFC 3339 | `time` |
/// | `jiff::Timestamp`, `Zoned`, and `civil::Date`, `Time`, `DateTime` | as they print: `2026-11-23T14:49:38.5Z` | `jiff` |
/// | `rust_decimal::Decimal` | as it prints, with its trailing zeros: `1.50` | `rust_decimal` |
/// | `bigdecimal::BigDecimal` | as it prints: `1.50` | `bigdecimal` |
/// | `url::Url` | the normalized URL | `url` |
/// | `secrecy::SecretString` | UTF-8 | `secrecy` |
/// | [your own types](crate::plaintext_as_text) | as they print | |
///
/// `&str`, `&[u8]` and `&[u8; N]` can be written but not loaded: `email.eq(Encrypted::new("ada@example.org"))`.
///
/// Except for those of the byte types, the bytes are text that other languages can read. This form is part of the crate's stable
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
    note = "for a type of chrono, time, uuid, jiff, rust_decimal, bigdecimal, url or secrecy, enable the feature of `diesel-encrypted` with the name of that crate",
    note = "for a type with serde's `Serialize` and `DeserializeOwned`, store it as JSON with `Encrypted<Json<{Self}>>` (feature `json`)",
    note = "for a type of your own, implement `diesel_encrypted::Plaintext`, or call `diesel_encrypted::plaintext_as_text!` if it has `Display` and `FromStr`",
    note = "for any other type, wrap it in a struct of your own"
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

/// A value that [`Encrypted`](crate::Encrypted) can encrypt: every [`Plaintext`], and `&str` and `&[u8]`, which cannot be
/// loaded.
pub trait Encode {
    /// The bytes to encrypt. Owned bytes are zeroed after use.
    ///
    /// # Errors
    ///
    /// The same as for [`Plaintext::encode`].
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error>;
}

impl<T: Plaintext> Encode for T {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        self.encode()
    }
}

impl Encode for &str {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self.as_bytes()))
    }
}

impl Encode for &[u8] {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self))
    }
}

impl<const N: usize> Encode for &[u8; N] {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self.as_slice()))
    }
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
