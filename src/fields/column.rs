//! The SQL types that can hold a token, and its form in each.

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
    /// The form of tokens in a column whose type has this name in `pg_type`, or `None` if it cannot hold tokens.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_postgres(type_name: &str) -> Option<Self> {
        match type_name {
            "text" | "varchar" | "bpchar" | "citext" => Some(Self::Text),
            "bytea" => Some(Self::Binary),
            _ => None,
        }
    }

    /// The form of tokens in a column of this `data_type` of MySQL or MariaDB, or `None` if it cannot hold tokens.
    #[cfg(feature = "mysql")]
    pub(crate) fn of_mysql(data_type: &str) -> Option<Self> {
        match data_type {
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Some(Self::Text),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Some(Self::Binary),
            _ => None,
        }
    }

    /// The form of tokens in a column of this type in SQLite, or `None` if it cannot hold tokens.
    ///
    /// It follows the [affinity](https://www.sqlite.org/datatype3.html#determination_of_column_affinity) of the declared
    /// type.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_sqlite(declared: &str) -> Option<Self> {
        let upper_case = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| upper_case.contains(part));
        if has(&["INT"]) {
            None
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Some(Self::Text)
        } else if declared.is_empty() || has(&["BLOB", "BINARY"]) {
            Some(Self::Binary)
        } else {
            None
        }
    }
}

/// A SQL type that holds tokens and is not nullable.
///
/// These are [`EncryptedText`], [`EncryptedBinary`], and Diesel's `Text` and `Binary`. This trait is sealed, because
/// the re-encrypt task would not find encrypted columns of other types.
pub trait TokenType: TokenColumn + SqlType<IsNull = is_nullable::NotNull> {}

/// A [`TokenType`], or `Nullable` of one. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a column of the SQL type `{Self}` cannot hold an `Encrypted<_>` value",
    label = "not a column type for encrypted values",
    note = "declare the column as `EncryptedText` or `EncryptedBinary` (from `diesel_encrypted::sql_types`) in the schema"
)]
pub trait TokenColumn: SqlType + SingleValue + TypedExpressionType + sealed::Sealed {
    /// The form of the tokens in such a column.
    const FORM: Form;
}

/// A [`TokenColumn`] that the schema does not declare as encrypted, so that it may hold plaintext.
///
/// These are Diesel's `Text` and `Binary`, nullable or not. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a column of the SQL type `{Self}` never accepts plaintext, which `Leaving<_>` writes",
    label = "not a column type for plaintext",
    note = "to leave encryption, first drop the guard of the column and declare it as `Text` or `Binary` in the schema"
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
