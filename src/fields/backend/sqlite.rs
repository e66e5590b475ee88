use diesel::backend::Backend;
use diesel::deserialize;
use diesel::serialize::{self, IsNull, Output};
use diesel::sqlite::{Sqlite, SqliteType};

use crate::fields::backend::TokenBackend;

impl TokenBackend for Sqlite {
    fn write_text(token: String, out: &mut Output<'_, '_, Self>) -> serialize::Result {
        out.set_value(token);
        Ok(IsNull::No)
    }

    fn write_binary(token: Vec<u8>, out: &mut Output<'_, '_, Self>) -> serialize::Result {
        out.set_value(token);
        Ok(IsNull::No)
    }

    fn read_token<R>(
        mut value: <Self as Backend>::RawValue<'_>,
        read: impl FnOnce(&[u8]) -> deserialize::Result<R>,
    ) -> deserialize::Result<R> {
        // SQLite would convert and copy a value that is read as another type.
        match value.value_type() {
            Some(SqliteType::Text) => read(value.read_text().as_bytes()),
            _ => read(value.read_blob()),
        }
    }
}
