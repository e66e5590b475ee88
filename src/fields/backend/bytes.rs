//! The backends whose bind parameters and values are bytes: PostgreSQL, MySQL and MariaDB.

use std::io::Write;

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::serialize::{self, IsNull, Output};
use zeroize::Zeroizing;

use crate::fields::backend::TokenBackend;

macro_rules! token_backend {
    ($backend:ty) => {
        impl TokenBackend for $backend {
            fn write_text(token: String, out: &mut Output<'_, '_, Self>) -> serialize::Result {
                Self::write_binary(token.into_bytes(), out)
            }

            fn write_binary(token: Vec<u8>, out: &mut Output<'_, '_, Self>) -> serialize::Result {
                // It is plaintext while a column is being decrypted. Diesel has a copy of its own.
                out.write_all(&Zeroizing::new(token))?;
                Ok(IsNull::No)
            }

            fn read_token<R>(
                value: <Self as Backend>::RawValue<'_>,
                read: impl FnOnce(&[u8]) -> deserialize::Result<R>,
            ) -> deserialize::Result<R> {
                read(value.as_bytes())
            }
        }
    };
}

#[cfg(feature = "mysql")]
token_backend!(diesel::mysql::Mysql);
#[cfg(feature = "postgres")]
token_backend!(diesel::pg::Pg);
