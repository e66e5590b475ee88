use std::io::Write;

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::mysql::Mysql;
use diesel::serialize::{self, IsNull, Output};

use crate::fields::backend::TokenBackend;

impl TokenBackend for Mysql {
    fn write_text(token: String, out: &mut Output<'_, '_, Self>) -> serialize::Result {
        Self::write_binary(token.into_bytes(), out)
    }

    fn write_binary(token: Vec<u8>, out: &mut Output<'_, '_, Self>) -> serialize::Result {
        out.write_all(&token)?;
        Ok(IsNull::No)
    }

    fn read_token<R>(
        value: <Self as Backend>::RawValue<'_>,
        read: impl FnOnce(&[u8]) -> deserialize::Result<R>,
    ) -> deserialize::Result<R> {
        read(value.as_bytes())
    }
}
