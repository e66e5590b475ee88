//! The field type of an encrypted column.

use crate::fields::{field, loaded};

/// A value that the database holds as `Fernet(primary key, value)`.
///
/// In the model it acts as a `T`: it dereferences to `T` and converts from `T`. Binding it to a statement encrypts it, and
/// loading a row decrypts it, with the [current keyring](crate::Keyring::current). For a nullable column, use
/// `Option<Encrypted<T>>`.
///
/// * `Debug` prints `Encrypted(..)`, also in Diesel's `debug_query` and query log. There is no `Display`,
///   and `to_string` does not compile.
/// * `Serialize` requires [`#[serde(with = "diesel_encrypted::expose")]`](crate::fields::expose) on the field, so that an
///   API response does not leak a column by accident. `Deserialize` reads a plain `T`.
/// * Comparisons in SQL could never match. The compiler refuses [nearly all](crate#mistakes-that-are-refused) of them.
///   In Rust, it compares as `T` does.
///
/// # Errors
///
/// Loading fails as a whole if one value cannot be decrypted. [`Error::find`](crate::Error::find) returns the reason. A
/// statement fails before it is sent if a value cannot be encrypted, for example without a keyring.
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
/// There is no `Display`, so that you do not print a value by accident:
///
/// ```compile_fail,E0277
/// let email = diesel_encrypted::Encrypted::from("ada@example.org".to_string());
/// println!("{email}");
/// ```
///
/// Dereference it to print it on purpose:
///
/// ```
/// let email = diesel_encrypted::Encrypted::from("ada@example.org".to_string());
/// println!("{}", *email);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encrypted<T>(T);

field::field_type!(Encrypted, read_token: TokenType, write_token: TokenColumn);

loaded::loaded_from!(Encrypted: TokenType);
