//! The field type.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::serialize::{self, Output, ToSql};
use zeroize::Zeroize;

use crate::backend::TokenBackend;
use crate::column::{TokenColumn, TokenType};
use crate::error::Error;
use crate::keyring::Keyring;
use crate::plaintext::Plaintext;
use crate::token::Sealed;

/// A value that the database holds as `Fernet(primary key, value)`.
///
/// In the model it is a `T`: it dereferences to `T` and is made from one. It is encrypted when a statement binds it
/// and decrypted when a row is loaded, with the [keyring in force](Keyring::current). `NULL` is
/// `Option<Encrypted<T>>`.
///
/// * `Debug` prints `Encrypted(..)`, also in Diesel's `debug_query` and query log. There is no `Display`.
/// * `Serialize` is there only by [`#[serde(with = "diesel_encrypted::expose")]`](crate::expose), so that an API
///   response does not leak a column by accident. `Deserialize` reads a plain `T`.
/// * It cannot be compared in SQL, which could never match; the compiler refuses
///   [nearly all](crate#what-is-refused-and-why) of it. In Rust it compares as `T` does.
///
/// # Errors
///
/// Loading a row fails as a whole if one value cannot be decrypted; [`Error::find`] tells why. A statement fails
/// before it is sent if a value cannot be encrypted, for want of a keyring for example.
///
/// ```
/// use diesel_encrypted::Encrypted;
///
/// let email = Encrypted::from("ada@example.org".to_string());
/// assert!(email.ends_with("@example.org"));
/// assert_eq!(format!("{email:?}"), "Encrypted(..)");
/// assert_eq!(email.into_inner(), "ada@example.org");
/// ```
///
/// There is no `Display`, so that a value is not printed by accident:
///
/// ```compile_fail,E0277
/// let email = diesel_encrypted::Encrypted::from("ada@example.org".to_string());
/// println!("{email}");
/// ```
///
/// On purpose it can be:
///
/// ```
/// let email = diesel_encrypted::Encrypted::from("ada@example.org".to_string());
/// println!("{}", *email);
/// ```
#[derive(Clone, Copy, Default, FromSqlRow, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encrypted<T>(T);

impl<T> Encrypted<T> {
    /// A value to be encrypted when it is stored.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: Plaintext> Encrypted<T> {
    fn seal(&self) -> Result<Sealed, Error> {
        let keyring = Keyring::current()?;
        let mut bytes = self.0.encode()?;
        let token = keyring.seal(&bytes);
        if let Cow::Owned(bytes) = &mut bytes {
            bytes.zeroize();
        }
        Ok(token)
    }

    fn open(token: &[u8]) -> Result<Self, Error> {
        T::decode(Keyring::current()?.decrypt(token)?).map(Self)
    }
}

impl<T> Deref for Encrypted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Encrypted<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Encrypted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Encrypted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted(..)")
    }
}

impl<T, ST, DB> FromSql<ST, DB> for Encrypted<T>
where
    T: Plaintext,
    ST: TokenType,
    DB: TokenBackend,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        DB::read_token(value, |token| Ok(Self::open(token)?))
    }
}

impl<T, ST, DB> ToSql<ST, DB> for Encrypted<T>
where
    T: Plaintext,
    ST: TokenColumn,
    DB: TokenBackend,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        let token = self.seal()?;
        match ST::FORM {
            crate::Form::Text => DB::write_text(token.into_text(), out),
            crate::Form::Binary => DB::write_binary(token.into_raw(), out),
        }
    }
}

/// For models that keep plain fields: `#[diesel(serialize_as = Encrypted<T>, deserialize_as = Encrypted<T>)]`.
macro_rules! into_plain {
    ($($(#[$feature:meta])* $type:ty),+ $(,)?) => {$(
        $(#[$feature])*
        impl From<Encrypted<$type>> for $type {
            fn from(value: Encrypted<$type>) -> Self {
                value.0
            }
        }
    )+};
}

into_plain! {
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
}

#[cfg(feature = "json")]
impl<T> From<Encrypted<crate::Json<T>>> for crate::Json<T> {
    fn from(value: Encrypted<crate::Json<T>>) -> Self {
        value.0
    }
}
