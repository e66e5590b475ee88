//! Which SQL types can hold a token, and in which form.

use diesel::expression::TypedExpressionType;
use diesel::sql_types::{Binary, Nullable, SingleValue, SqlType, Text, is_nullable};

use crate::fields::sql_types::{EncryptedBinary, EncryptedText};

/// The form of the tokens in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// base64url text
    Text,
    /// raw bytes
    Binary,
}

#[cfg(feature = "reencrypt")]
impl Form {
    /// That of the tokens in a column of this type, by its name in `pg_type`; `None` if it does not hold any.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_postgres(type_name: &str) -> Option<Self> {
        match type_name {
            "text" | "varchar" | "bpchar" | "citext" => Some(Self::Text),
            "bytea" => Some(Self::Binary),
            _ => None,
        }
    }

    /// The same by the `data_type` of MySQL and MariaDB.
    #[cfg(feature = "mysql")]
    pub(crate) fn of_mysql(data_type: &str) -> Option<Self> {
        match data_type {
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Some(Self::Text),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Some(Self::Binary),
            _ => None,
        }
    }

    /// The same by the [affinity](https://www.sqlite.org/datatype3.html#determination_of_column_affinity) of what was
    /// declared to SQLite.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_sqlite(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        match () {
            () if has(&["INT"]) => None,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Some(Self::Text),
            () if declared.is_empty() || has(&["BLOB", "BINARY"]) => Some(Self::Binary),
            () => None,
        }
    }
}

/// A SQL type, not nullable, that holds tokens: [`EncryptedText`], [`EncryptedBinary`], and Diesel's `Text` and
/// `Binary`. Sealed: were there others, a re-encrypt task that is given a table could not find its encrypted columns.
pub trait TokenType: TokenColumn + SqlType<IsNull = is_nullable::NotNull> {}

/// A [`TokenType`] or `Nullable` of one. Sealed.
#[diagnostic::on_unimplemented(
    message = "a column of the SQL type `{Self}` cannot hold an `Encrypted<_>` value",
    label = "not a column for encrypted values",
    note = "declare the column as `EncryptedText` or `EncryptedBinary` (of `diesel_encrypted::sql_types`) in the schema"
)]
pub trait TokenColumn: SqlType + SingleValue + TypedExpressionType + sealed::Sealed {
    /// The form of the tokens in such a column.
    const FORM: Form;
}

/// A [`TokenColumn`] that the schema does not declare as encrypted, and that may hold plaintext: Diesel's `Text` and
/// `Binary`, nullable or not. Sealed.
#[diagnostic::on_unimplemented(
    message = "a column of the SQL type `{Self}` never gets plaintext, and a `Leaving<_>` value is written as plaintext",
    label = "not a column for plaintext",
    note = "to leave encryption, drop the guard of the column and declare it as `Text` or `Binary` in the schema first"
)]
pub trait PlainColumn: TokenColumn {}

impl PlainColumn for Text {}
impl PlainColumn for Binary {}
impl PlainColumn for Nullable<Text> {}
impl PlainColumn for Nullable<Binary> {}

impl<ST: TokenType> sealed::Sealed for Nullable<ST> {}
impl<ST: TokenType> TokenColumn for Nullable<ST> {
    const FORM: Form = ST::FORM;
}

macro_rules! token_types {
    ($($sql_type:ty: $form:ident),+ $(,)?) => {$(
        impl sealed::Sealed for $sql_type {}
        impl TokenType for $sql_type {}
        impl TokenColumn for $sql_type {
            const FORM: Form = Form::$form;
        }
    )+};
}

token_types! {
    EncryptedText: Text,
    EncryptedBinary: Binary,
    Text: Text,
    Binary: Binary,
}

mod sealed {
    pub trait Sealed {}
}
