//! The field type of a column that is being decrypted.

use crate::fields::{field, loaded};

/// A value that the database holds as plaintext or as a token, and that is written as plaintext.
///
/// It writes the bytes of [`Plaintext`](crate::Plaintext), and reads as [`Adopting<T>`](crate::Adopting) does. Use it:
///
/// * to leave encryption, until a task with `Job::Decrypt` has turned the last token into plaintext;
/// * to begin encryption with several application processes. A process that can only read plaintext must not meet a
///   token. First deploy this type, which reads both forms, to every process. Then deploy
///   [`Adopting<T>`](crate::Adopting), which writes tokens.
///
/// The schema must declare the column as plain `Text` or `Binary`. A column that is declared as encrypted never accepts
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
/// The same as for [`Adopting<T>`](crate::Adopting). A statement also fails, before it is sent, if the plaintext would
/// be read back as a token. The same happens if the plaintext is not UTF-8 and the column holds text.
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
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaving<T>(T);

field::field_type!(Leaving, read_either: TokenType + PlainColumn, write_plaintext: PlainColumn);

loaded::loaded_from!(Leaving: TokenType + PlainColumn);
