//! The common parts of the field types: reading, writing, and the conversions from and to a `T`.

use std::borrow::Cow;

use diesel::serialize::{self, Output};
use zeroize::{Zeroize, Zeroizing};

use crate::fields::backend::TokenBackend;
use crate::fields::column::{Form, TokenColumn};
use crate::fields::plaintext::{Encode, Plaintext};
use crate::keys::{Error, Keyring};
use crate::keys::{Sealed, Token};

/// Reads a value from a token.
pub(crate) fn read_token<T: Plaintext>(bytes: &[u8]) -> Result<T, Error> {
    T::decode(Keyring::current()?.decrypt(bytes)?)
}

/// Reads a value from a token or from plaintext.
pub(crate) fn read_either<T: Plaintext>(bytes: &[u8]) -> Result<T, Error> {
    T::decode(opened(bytes)?.unwrap_or_else(|| bytes.to_vec()))
}

/// Binds `Fernet(primary key, value)`.
pub(crate) fn write_token<T, ST, DB>(value: &T, out: &mut Output<'_, '_, DB>) -> serialize::Result
where
    T: Encode,
    ST: TokenColumn,
    DB: TokenBackend,
{
    let token = sealed(value)?;
    match ST::FORM {
        Form::Text => DB::write_text(token.into_text(), out),
        Form::Binary => DB::write_binary(token.into_raw(), out),
    }
}

/// Binds the plaintext of the value, unless [`read_either`] would mistake it for a token.
pub(crate) fn write_plaintext<T, ST, DB>(value: &T, out: &mut Output<'_, '_, DB>) -> serialize::Result
where
    T: Encode,
    ST: TokenColumn,
    DB: TokenBackend,
{
    let bytes = Encoded(value.bytes()?);
    match opened(&bytes.0) {
        Ok(None) => {}
        Err(error) if error.is_keyring() => return Err(error.into()),
        opened => {
            drop(opened.map(Zeroizing::new));
            return Err(Error::encode("as plaintext it would be read back as a token").into());
        }
    }
    match ST::FORM {
        Form::Text => {
            let text = String::decode(bytes.into_owned());
            DB::write_text(text.map_err(|_| Error::encode("it is not UTF-8, and the column holds text"))?, out)
        }
        Form::Binary => DB::write_binary(bytes.into_owned(), out),
    }
}

fn sealed<T: Encode>(value: &T) -> Result<Sealed, Error> {
    let keyring = Keyring::current()?;
    Ok(keyring.seal(&Encoded(value.bytes()?).0))
}

/// The bytes of a value. Bytes that it owns are zeroed on drop.
struct Encoded<'a>(Cow<'a, [u8]>);

impl Encoded<'_> {
    fn into_owned(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).into_owned()
    }
}

impl Drop for Encoded<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.0 {
            bytes.zeroize();
        }
    }
}

/// Decrypts a token, and returns `None` for plaintext.
///
/// Bytes that begin like a token, but that no key opens, are an error, because they may be either.
fn opened(bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    match Keyring::current()?.decrypt(bytes) {
        Ok(plaintext) => Ok(Some(plaintext)),
        Err(_) if !Token::looks_like_one(bytes) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Implements a field type for a tuple struct of one value: it dereferences to the value and converts from it.
///
/// `$read` loads it from a column of the type `$from`, and `$write` stores it in a column of the type `$to`.
macro_rules! field_type {
    ($field:ident, $read:ident: $from:ident $(+ $also:ident)?, $write:ident: $to:ident) => {
        impl<T, ST, DB> diesel::deserialize::FromSql<ST, DB> for $field<T>
        where
            T: $crate::fields::plaintext::Plaintext,
            ST: $crate::fields::column::$from $(+ $crate::fields::column::$also)?,
            DB: $crate::fields::backend::TokenBackend,
        {
            fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                DB::read_token(value, |bytes| Ok(Self($crate::fields::field::$read(bytes)?)))
            }
        }

        impl<T, ST, DB> diesel::serialize::ToSql<ST, DB> for $field<T>
        where
            T: $crate::fields::plaintext::Encode,
            ST: $crate::fields::column::$to,
            DB: $crate::fields::backend::TokenBackend,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                $crate::fields::field::$write::<T, ST, DB>(&self.0, out)
            }
        }

        impl<T> $field<T> {
            /// Wraps the value.
            pub const fn new(value: T) -> Self {
                Self(value)
            }

            /// Unwraps the value.
            pub fn into_inner(self) -> T {
                self.0
            }

            /// Does not compile. Without it, `to_string` would be that of the value, by way of `Deref`.
            #[doc(hidden)]
            pub fn to_string(&self) -> String
            where
                Self: $crate::fields::accident::PrintedByAccident,
            {
                String::new()
            }
        }

        impl From<&str> for $field<String> {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }

        impl<T> std::ops::Deref for $field<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> std::ops::DerefMut for $field<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }

        impl<T> From<T> for $field<T> {
            fn from(value: T) -> Self {
                Self(value)
            }
        }

        impl<T> std::fmt::Debug for $field<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($field), "(..)"))
            }
        }

        #[cfg(feature = "json")]
        impl<T> From<$field<crate::fields::plaintext::Json<T>>> for crate::fields::plaintext::Json<T> {
            fn from(value: $field<crate::fields::plaintext::Json<T>>) -> Self {
                value.0
            }
        }

        $crate::fields::field::into_plain! {
            $field:
            String, Vec<u8>, bool, char, f32, f64,
            i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize,
            #[cfg(feature = "chrono")] chrono::NaiveDate,
            #[cfg(feature = "chrono")] chrono::NaiveTime,
            #[cfg(feature = "chrono")] chrono::NaiveDateTime,
            #[cfg(feature = "chrono")] chrono::DateTime<chrono::Utc>,
            #[cfg(feature = "chrono")] chrono::DateTime<chrono::FixedOffset>,
            #[cfg(feature = "secrecy")] secrecy::SecretString,
            #[cfg(feature = "time")] time::Date,
            #[cfg(feature = "time")] time::Time,
            #[cfg(feature = "time")] time::PrimitiveDateTime,
            #[cfg(feature = "time")] time::OffsetDateTime,
            #[cfg(feature = "uuid")] uuid::Uuid,
            #[cfg(feature = "jiff")] jiff::Timestamp,
            #[cfg(feature = "jiff")] jiff::Zoned,
            #[cfg(feature = "jiff")] jiff::civil::Date,
            #[cfg(feature = "jiff")] jiff::civil::Time,
            #[cfg(feature = "jiff")] jiff::civil::DateTime,
            #[cfg(feature = "rust_decimal")] rust_decimal::Decimal,
            #[cfg(feature = "bigdecimal")] bigdecimal::BigDecimal,
            #[cfg(feature = "url")] url::Url,
            Box<str>, std::sync::Arc<str>, Box<[u8]>, std::sync::Arc<[u8]>,
        }
    };
}

/// Lets models keep plain fields: `#[diesel(serialize_as = Encrypted<T>, deserialize_as = Encrypted<T>)]`.
macro_rules! into_plain {
    ($field:ident: $($(#[$feature:meta])* $type:ty),+ $(,)?) => {$(
        $(#[$feature])*
        impl From<$field<$type>> for $type {
            fn from(value: $field<$type>) -> Self {
                value.0
            }
        }
    )+};
}

pub(crate) use {field_type, into_plain};
