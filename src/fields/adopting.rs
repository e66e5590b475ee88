//! The field type of a column on its way into encryption.

use diesel::deserialize::FromSqlRow;

use crate::fields::field;

/// A value that the database holds as `Fernet(primary key, value)` or still as plaintext, and gets back encrypted.
///
/// | the column holds | read as |
/// |---|---|
/// | a token that a key of the keyring opens | what was encrypted |
/// | what begins as a token does (`gAAAA`, in bytes `80 00 00`), and no key opens it | an error, [never plaintext](crate::Error::is_decrypt) |
/// | anything else | plaintext: the bytes that [`Plaintext`](crate::Plaintext) makes of the value |
///
/// It serves a column while `diesel-encrypted encrypt` turns its values into tokens; when that has proven that none is
/// left, the field becomes an [`Encrypted<T>`](crate::Encrypted), which it is in all other respects. Until then a value
/// that somebody else writes past the application is believed, as that of any plain column is.
///
/// What is not text in the database already, an integer say, has to become text or bytes first. A value that an
/// application wrote in another form than that of [`Plaintext`](crate::Plaintext) is an error, unless a type of your own reads both.
///
/// # Errors
///
/// Those of [`Encrypted<T>`](crate::Encrypted). Plaintext that happens to look like a token cannot be read: find it with
/// `diesel-encrypted status`, which counts it as unreadable. To write such a value is no problem, for it is encrypted.
///
#[cfg_attr(feature = "cli-sqlite", doc = "```")]
#[cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::{Adopting, Key, Keyring};
///
/// diesel::table! {
///     users (id) {
///         id -> Integer,
///         email -> Text,
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # Keyring::new([Key::generate()])?.install()?;
/// # let conn = &mut SqliteConnection::establish(":memory:")?;
/// # diesel::sql_query("create table users (id integer primary key, email text not null)").execute(conn)?;
/// diesel::insert_into(users::table).values(users::email.eq("ada@example.org")).execute(conn)?;
///
/// let email: Adopting<String> = users::table.select(users::email).first(conn)?;
/// assert_eq!(*email, "ada@example.org");
///
/// diesel::update(users::table).set(users::email.eq(&email)).execute(conn)?;
/// assert!(users::table.select(users::email).first::<String>(conn)?.starts_with("gAAAA"));
/// assert_eq!(users::table.select(users::email).first::<Adopting<String>>(conn)?, email);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Default, FromSqlRow, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Adopting<T>(T);

field::field_type!(Adopting, read_either: TokenType, write_token: TokenColumn);
