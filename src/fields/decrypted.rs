//! The field type of lists that load despite an unreadable row.

use std::fmt;

use diesel::deserialize::{self, FromSql};

use crate::fields::backend::TokenBackend;
use crate::fields::column::TokenType;
use crate::fields::plaintext::Plaintext;
use crate::fields::{field, loaded};
use crate::keys::Error;

/// The decrypted value, or the reason why it cannot be read.
///
/// With [`Encrypted<T>`](crate::Encrypted), one unreadable value fails the whole `load()`. With this type, only that value
/// fails, and the other rows load. For a nullable column, use `Option<Decrypted<T>>`.
///
/// You cannot store this type, because storing an error would lose the value. `Debug` prints `Decrypted(Ok(..))`, or
/// the error, which carries no data.
///
/// # Errors
///
/// Without a usable keyring, the load fails, because the configuration is wrong and no value could be read.
///
#[cfg_attr(feature = "cli-sqlite", doc = "```")]
#[cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::{Decrypted, Encrypted, Key, Keyring};
///
/// diesel::table! {
///     use diesel::sql_types::*;
///     use diesel_encrypted::sql_types::*;
///
///     users (id) {
///         id -> Integer,
///         email -> EncryptedText,
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # Keyring::new([Key::generate()])?.install()?;
/// # let conn = &mut SqliteConnection::establish(":memory:")?;
/// # diesel::sql_query("create table users (id integer primary key, email text not null)").execute(conn)?;
/// let email = Encrypted::from("ada@example.org".to_string());
/// diesel::insert_into(users::table).values(users::email.eq(&email)).execute(conn)?;
/// diesel::sql_query("insert into users (email) values ('gAAAA, and no token')").execute(conn)?;
///
/// let emails: Vec<Decrypted<String>> = users::table.order(users::id).select(users::email).load(conn)?;
/// assert_eq!(emails[0].as_result().unwrap(), "ada@example.org");
/// assert!(emails[1].as_result().is_err_and(|error| error.is_decrypt()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Decrypted<T>(Result<T, Error>);

impl<T> Decrypted<T> {
    /// The value, or why it could not be read.
    ///
    /// # Errors
    ///
    /// An [`Error`] for which [`is_decrypt`](Error::is_decrypt) or [`is_decode`](Error::is_decode) is true.
    pub fn as_result(&self) -> Result<&T, &Error> {
        self.0.as_ref()
    }

    /// The value, or why it could not be read.
    ///
    /// # Errors
    ///
    /// The same as for [`as_result`](Decrypted::as_result).
    pub fn into_result(self) -> Result<T, Error> {
        self.0
    }

    /// The value, if it could be read.
    pub fn ok(self) -> Option<T> {
        self.0.ok()
    }

    /// Whether the value could be read.
    pub fn is_ok(&self) -> bool {
        self.0.is_ok()
    }

    /// Whether the value could not be read.
    pub fn is_err(&self) -> bool {
        self.0.is_err()
    }
}

impl<T> fmt::Debug for Decrypted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(_) => f.write_str("Decrypted(Ok(..))"),
            Err(error) => write!(f, "Decrypted(Err({error:?}))"),
        }
    }
}

loaded::loaded_from!(Decrypted: TokenType);

impl<T, ST, DB> FromSql<ST, DB> for Decrypted<T>
where
    T: Plaintext,
    ST: TokenType,
    DB: TokenBackend,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        DB::read_token(value, |bytes| match field::read_token(bytes) {
            Err(error) if error.is_keyring() => Err(error.into()),
            result => Ok(Self(result)),
        })
    }
}
