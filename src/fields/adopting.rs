//! The field type of a column that is being encrypted.

use crate::fields::{field, loaded};

/// A value that the database holds as a token or still as plaintext, and that is written as a token.
///
/// | the column holds | read as |
/// |---|---|
/// | a token that a key of the keyring opens | the decrypted value |
/// | other bytes that begin like a token (`gAAAA`, in bytes `80 00 00`) | an error, [never plaintext](crate::Error::is_decrypt) |
/// | anything else | plaintext, in the form that [`Plaintext`](crate::Plaintext) writes |
///
/// Use it while a task with `Job::Encrypt` turns the values of a column into tokens. When the task has proven that no
/// plaintext is left, replace it with [`Encrypted<T>`](crate::Encrypted), which behaves the same in all other respects.
/// Until then, the application trusts plaintext from any other writer, as it does in a plain column.
///
/// First convert a column of another type, such as an integer, to text or bytes. If a value does not have the form that
/// [`Plaintext`](crate::Plaintext) reads, loading it is an error. In that case, implement a type that reads both forms.
///
/// # Errors
///
/// The same as for [`Encrypted<T>`](crate::Encrypted). This type also cannot read plaintext that happens to look like a
/// token: `Task::status` counts such a value as unreadable. You can write such a value, because it is encrypted.
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
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Adopting<T>(T);

field::field_type!(Adopting, read_either: TokenType, write_token: TokenColumn);

loaded::loaded_from!(Adopting: TokenType);
