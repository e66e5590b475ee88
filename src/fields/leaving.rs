//! The field type of a column on its way out of encryption.

use diesel::deserialize::FromSqlRow;

use crate::fields::field;

/// A value that the database holds as plaintext or as a token, and gets back as plaintext: the bytes that [`Plaintext`](crate::Plaintext)
/// makes of it.
///
/// It is read as [`Adopting<T>`](crate::Adopting) is. It serves two ends:
///
/// * the way out of encryption, until `diesel-encrypted decrypt` has turned the last token into plaintext;
/// * the first step of the way in, where several instances of an application run: one that still reads plaintext only
///   must not meet a token that another one wrote. First all of them read both, as this type does, then they write
///   tokens, as [`Adopting<T>`](crate::Adopting) does.
///
/// It is for columns that the schema declares as plain `Text` or `Binary`. One that is declared as encrypted never gets
/// plaintext:
///
/// ```compile_fail,E0277
/// # use diesel::prelude::*;
/// # use diesel_encrypted::{Leaving, sql_types};
/// diesel::table! {
///     use diesel::sql_types::*;
///     use diesel_encrypted::sql_types::*;
///     users (id) { id -> Integer, email -> EncryptedText, }
/// }
///
/// let set = users::email.eq(Leaving::from("ada@example.org".to_string()));
/// ```
///
/// # Errors
///
/// Those of [`Adopting<T>`](crate::Adopting). A statement also fails before it is sent if the plaintext would be taken
/// for a token when it is read back, or is not UTF-8 and goes into a text column.
///
#[cfg_attr(feature = "cli-sqlite", doc = "```")]
#[cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::{Encrypted, Key, Keyring, Leaving};
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
/// let email = Encrypted::from("ada@example.org".to_string());
/// diesel::insert_into(users::table).values(users::email.eq(&email)).execute(conn)?;
///
/// let email: Leaving<String> = users::table.select(users::email).first(conn)?;
/// assert_eq!(*email, "ada@example.org");
///
/// diesel::update(users::table).set(users::email.eq(&email)).execute(conn)?;
/// assert_eq!(users::table.select(users::email).first::<String>(conn)?, "ada@example.org");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Default, FromSqlRow, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaving<T>(T);

field::field_type!(Leaving, read_either: TokenType + PlainColumn, write_plaintext: PlainColumn);
