//! The field type of an encrypted column.

use diesel::deserialize::FromSqlRow;

use crate::fields::field;

/// A value that the database holds as `Fernet(primary key, value)`.
///
/// In the model it is a `T`: it dereferences to `T` and is made from one. It is encrypted when a statement binds it
/// and decrypted when a row is loaded, with the [keyring in force](crate::Keyring::current). `NULL` is
/// `Option<Encrypted<T>>`.
///
/// * `Debug` prints `Encrypted(..)`, also in Diesel's `debug_query` and query log. There is no `Display`.
/// * `Serialize` is there only by [`#[serde(with = "diesel_encrypted::expose")]`](crate::fields::expose), so that an API
///   response does not leak a column by accident. `Deserialize` reads a plain `T`.
/// * It cannot be compared in SQL, which could never match; the compiler refuses
///   [nearly all](crate#what-is-refused-and-why) of it. In Rust it compares as `T` does.
///
/// # Errors
///
/// Loading a row fails as a whole if one value cannot be decrypted; [`Error::find`](crate::Error::find) tells why. A statement fails
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

field::field_type!(Encrypted, read_token: TokenType, write_token: TokenColumn);
