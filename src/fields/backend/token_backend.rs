//! How each backend binds and reads a token, or the plaintext in its place.

use diesel::backend::Backend;
use diesel::{deserialize, serialize};

/// A backend that stores [`Encrypted`](crate::Encrypted) values.
///
/// These are Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature. This trait is sealed. For the backend of a
/// `#[derive(MultiConnection)]`, call [`multi_backend!`](crate::multi_backend).
#[diagnostic::on_unimplemented(
    message = "`Encrypted<_>` values cannot be stored with the backend `{Self}`",
    note = "enable the feature of `diesel-encrypted` for this database: `postgres`, `mysql` or `sqlite`",
    note = "for the backend of a `#[derive(MultiConnection)]`, call `diesel_encrypted::multi_backend!`"
)]
pub trait TokenBackend: Backend + sealed::Sealed {
    /// Binds text, such as a token in text form.
    ///
    /// # Errors
    ///
    /// The errors of Diesel's output.
    fn write_text(token: String, out: &mut serialize::Output<'_, '_, Self>) -> serialize::Result;

    /// Binds bytes, such as a raw token.
    ///
    /// # Errors
    ///
    /// The errors of Diesel's output.
    fn write_binary(token: Vec<u8>, out: &mut serialize::Output<'_, '_, Self>) -> serialize::Result;

    /// Calls `read` with the bytes of a column.
    ///
    /// # Errors
    ///
    /// The errors of `read`.
    fn read_token<R>(
        value: Self::RawValue<'_>,
        read: impl FnOnce(&[u8]) -> deserialize::Result<R>,
    ) -> deserialize::Result<R>;
}

mod sealed {
    pub trait Sealed {}

    #[cfg(feature = "mysql")]
    impl Sealed for diesel::mysql::Mysql {}
    #[cfg(feature = "postgres")]
    impl Sealed for diesel::pg::Pg {}
    #[cfg(feature = "sqlite")]
    impl Sealed for diesel::sqlite::Sqlite {}
}
