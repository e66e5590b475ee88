//! The field of a row before it becomes a field of a model. It makes errors name their column.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::result::UnexpectedEndOfRow;
use diesel::row::{Field, Row};

use crate::keys::Error;

/// A field that was read from a row.
///
/// Diesel hides the reason behind `Error deserializing field 'email'`. It does so for every type that it reads from a
/// single value, except where the type of the row is another one, such as this.
pub struct Loaded<F>(pub(crate) F);

impl<F> Loaded<F> {
    /// Reads the first field of the row.
    ///
    /// # Errors
    ///
    /// The errors of the field's type, with the name of the column.
    pub fn from_row<'a, ST, DB>(row: &impl Row<'a, DB>) -> deserialize::Result<Self>
    where
        F: FromSql<ST, DB>,
        DB: Backend,
    {
        let field = row.get(0).ok_or(UnexpectedEndOfRow)?;
        F::from_nullable_sql(field.value()).map(Self).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error.in_column(field.field_name()).into(),
            Err(error) => error,
        })
    }
}

/// Reads the field types from rows of a backend. A generic implementation would overlap with Diesel's.
#[doc(hidden)]
#[macro_export]
macro_rules! __loaded {
    ($backend:ty: $($sql_type:ty),+ $(,)?) => {$(
        impl<F> ::diesel::deserialize::FromStaticSqlRow<$sql_type, $backend> for $crate::bounds::Loaded<F>
        where
            F: ::diesel::deserialize::FromSql<$sql_type, $backend>,
        {
            fn build_from_row<'a>(row: &impl ::diesel::row::Row<'a, $backend>) -> ::diesel::deserialize::Result<Self> {
                Self::from_row::<$sql_type, $backend>(row)
            }
        }
    )+};
    ($backend:ty) => {
        $crate::__loaded! {
            $backend:
            $crate::sql_types::EncryptedText,
            $crate::sql_types::EncryptedBinary,
            ::diesel::sql_types::Text,
            ::diesel::sql_types::Binary,
        }
    };
}

#[cfg(feature = "mysql")]
__loaded!(diesel::mysql::Mysql);
#[cfg(feature = "postgres")]
__loaded!(diesel::pg::Pg);
#[cfg(feature = "sqlite")]
__loaded!(diesel::sqlite::Sqlite);

/// Loads a field type from the columns of this kind.
macro_rules! loaded_from {
    ($field:ident: $column:ident $(+ $also:ident)?) => {
        impl<T, ST, DB> diesel::deserialize::Queryable<ST, DB> for $field<T>
        where
            T: $crate::fields::plaintext::Plaintext, // first, for its message
            ST: $crate::fields::column::$column $(+ $crate::fields::column::$also)?,
            DB: diesel::backend::Backend,
            $crate::fields::loaded::Loaded<Self>: diesel::deserialize::FromStaticSqlRow<ST, DB>,
        {
            type Row = $crate::fields::loaded::Loaded<Self>;

            fn build(row: Self::Row) -> diesel::deserialize::Result<Self> {
                Ok(row.0)
            }
        }

        /// For the elements of an array: any of them may be `NULL`, as far as the schema tells, and then the load
        /// fails. A column that may be `NULL` itself needs an `Option`.
        #[cfg(feature = "postgres")]
        impl<T, ST> diesel::deserialize::FromSql<diesel::sql_types::Nullable<ST>, diesel::pg::Pg> for $field<T>
        where
            ST: $crate::fields::column::TokenType,
            Self: diesel::deserialize::FromSql<ST, diesel::pg::Pg>,
        {
            fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                <Self as diesel::deserialize::FromSql<ST, diesel::pg::Pg>>::from_sql(value)
            }
        }
    };
}
pub(crate) use loaded_from;
