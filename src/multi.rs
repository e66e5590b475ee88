//! `#[derive(MultiConnection)]`

/// Lets the backend of a [`#[derive(MultiConnection)]`](diesel::MultiConnection) store
/// [`Encrypted`](crate::Encrypted) values.
///
/// `multi_backend!(Backend)`, with the name of the backend that the derive made: `MultiBackend`, in the module of the
/// enum. It covers [`EncryptedText`](crate::sql_types::EncryptedText),
/// [`EncryptedBinary`](crate::sql_types::EncryptedBinary), and Diesel's `Text` and `Binary`.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "cli-postgres"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "cli-postgres")), doc = "```ignore")]
/// #[derive(diesel::MultiConnection)]
/// pub enum AnyConnection {
///     Postgres(diesel::PgConnection),
///     Sqlite(diesel::SqliteConnection),
/// }
///
/// diesel_encrypted::multi_backend!(MultiBackend);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! multi_backend {
    ($backend:ty) => {
        $crate::multi_backend!(@has_sql_type $backend, $crate::sql_types::EncryptedText);
        $crate::multi_backend!(@has_sql_type $backend, $crate::sql_types::EncryptedBinary);
        $crate::multi_backend!(@value $backend, $crate::sql_types::EncryptedText);
        $crate::multi_backend!(@value $backend, $crate::sql_types::EncryptedBinary);
        $crate::multi_backend!(@value $backend, ::diesel::sql_types::Text);
        $crate::multi_backend!(@value $backend, ::diesel::sql_types::Binary);
    };
    (@has_sql_type $backend:ty, $sql_type:ty) => {
        impl ::diesel::sql_types::HasSqlType<$sql_type> for $backend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$sql_type>(lookup)
            }
        }
    };
    (@value $backend:ty, $sql_type:ty) => {
        impl<T> ::diesel::serialize::ToSql<$sql_type, $backend> for $crate::Encrypted<T>
        where
            T: $crate::Plaintext + ::std::marker::Send + ::std::marker::Sync + 'static,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut ::diesel::serialize::Output<'b, '_, $backend>,
            ) -> ::diesel::serialize::Result {
                out.set_value((<$sql_type as ::std::default::Default>::default(), self));
                ::std::result::Result::Ok(::diesel::serialize::IsNull::No)
            }
        }

        impl<T: $crate::Plaintext> ::diesel::deserialize::FromSql<$sql_type, $backend> for $crate::Encrypted<T> {
            fn from_sql(
                value: <$backend as ::diesel::backend::Backend>::RawValue<'_>,
            ) -> ::diesel::deserialize::Result<Self> {
                value.from_sql::<Self, $sql_type>()
            }
        }
    };
}
