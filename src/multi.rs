//! Support for `#[derive(MultiConnection)]`.

/// Lets the backend of a [`#[derive(MultiConnection)]`](diesel::MultiConnection) store the field types, such as
/// [`Encrypted`](crate::Encrypted).
///
/// Call it with the backend that the derive generates: `MultiBackend`, in the module of the enum. It covers columns of the
/// types [`EncryptedText`](crate::fields::sql_types::EncryptedText),
/// [`EncryptedBinary`](crate::fields::sql_types::EncryptedBinary), and Diesel's `Text` and `Binary`.
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
        $crate::__loaded!($backend);
        $crate::multi_backend!(@has_sql_type $backend, $crate::sql_types::EncryptedText);
        $crate::multi_backend!(@has_sql_type $backend, $crate::sql_types::EncryptedBinary);
        $crate::multi_backend!(@encrypted $backend, $crate::sql_types::EncryptedText);
        $crate::multi_backend!(@encrypted $backend, $crate::sql_types::EncryptedBinary);
        $crate::multi_backend!(@plain $backend, ::diesel::sql_types::Text);
        $crate::multi_backend!(@plain $backend, ::diesel::sql_types::Binary);
    };
    (@has_sql_type $backend:ty, $sql_type:ty) => {
        impl ::diesel::sql_types::HasSqlType<$sql_type> for $backend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$sql_type>(lookup)
            }
        }
    };
    (@plain $backend:ty, $sql_type:ty) => {
        $crate::multi_backend!(@encrypted $backend, $sql_type);
        $crate::multi_backend!(@written $backend, $sql_type, $crate::Leaving);
        $crate::multi_backend!(@read $backend, $sql_type, $crate::Leaving);
    };
    (@encrypted $backend:ty, $sql_type:ty) => {
        $crate::multi_backend!(@written $backend, $sql_type, $crate::Encrypted);
        $crate::multi_backend!(@read $backend, $sql_type, $crate::Encrypted);
        $crate::multi_backend!(@written $backend, $sql_type, $crate::Adopting);
        $crate::multi_backend!(@read $backend, $sql_type, $crate::Adopting);
        $crate::multi_backend!(@read $backend, $sql_type, $crate::Decrypted);
    };
    (@written $backend:ty, $sql_type:ty, $($field:tt)+) => {
        impl<T> ::diesel::serialize::ToSql<$sql_type, $backend> for $($field)+<T>
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
    };
    (@read $backend:ty, $sql_type:ty, $($field:tt)+) => {
        impl<T: $crate::Plaintext> ::diesel::deserialize::FromSql<$sql_type, $backend> for $($field)+<T> {
            fn from_sql(
                value: <$backend as ::diesel::backend::Backend>::RawValue<'_>,
            ) -> ::diesel::deserialize::Result<Self> {
                value.from_sql::<Self, $sql_type>()
            }
        }
    };
}
