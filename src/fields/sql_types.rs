//! The SQL types of encrypted columns, for `table!` declarations and `diesel print-schema`.
//!
//! Import the whole module beside `diesel::sql_types::*`: it contains only the two types.

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// A token as text: 100 characters or more of base64url.
///
/// It serves columns of these types: PostgreSQL `text` (and any domain over it), MySQL and MariaDB `text` or `varchar`,
/// SQLite `text`.
///
/// If a compiler's message says that some type does not implement `AsExpression<EncryptedText>`, that type is plaintext.
/// Encrypt the value with [`Encrypted::new`](crate::Encrypted::new), and declare the field of a model as
/// [`Encrypted<T>`](crate::Encrypted). If a message says that a method such as `like` or `lower` exists but its bounds are
/// not satisfied, the method works on text, and the column holds tokens.
///
/// On PostgreSQL it has the object identifier of `text` itself, so it also works for a domain in any schema. Diesel
/// does not look it up by name, so the search path does not matter.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 25, array_oid = 1009))]
#[diesel(mysql_type(name = "String"))]
#[diesel(sqlite_type(name = "Text"))]
pub struct EncryptedText;

/// A token as raw bytes: 73 bytes or more, a quarter less than as text.
///
/// It serves columns of these types: PostgreSQL `bytea` (and any domain over it), MySQL and MariaDB `blob` or
/// `varbinary`, SQLite `blob`. Reading also accepts tokens in text form, as other Fernet libraries store them.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 17, array_oid = 1001))]
#[diesel(mysql_type(name = "Blob"))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct EncryptedBinary;
