//! How SQLite sends and returns row keys and cells.

use diesel::deserialize;
use diesel::query_builder::AstPass;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{BigInt, Binary, Double, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteType};

use crate::database::quote::{push_column, push_filled};
use crate::database::{CatalogueColumn, Cell, KeyColumn, KeyValue, RowFormat, TextRows};
use crate::keys::fernet::shape;

impl TextRows for Sqlite {
    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(mut value: Self::RawValue<'_>) -> deserialize::Result<String> {
        Ok(value.read_text().to_owned())
    }
}

impl RowFormat for Sqlite {
    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(&column.name, out)
    }

    fn push_cell_output(column: &str, _is_text: bool, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(column, out)
    }

    fn push_key<'b>(value: &'b KeyValue, _column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        push_slot_key(value, false, out)
    }

    /// A column holds values of any type. SQLite compares a value of bytes as bytes.
    fn push_sampled(column: &CatalogueColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_filled(&shape::sqlite::sampled(), out, |out| {
            out.push_sql("CAST(");
            push_column(&column.name, out)?;
            out.push_sql(" AS BLOB)");
            Ok(())
        })
    }

    fn is_key(value: &KeyValue) -> bool {
        !matches!(value, KeyValue::UInt(_) | KeyValue::Null)
    }

    fn read_key(mut value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        match value.value_type() {
            Some(SqliteType::Text) => match value.read_text() {
                // Diesel puts this character in the place of bytes that are not UTF-8. That would be another key.
                text if text.contains('\u{FFFD}') => {
                    let bytes = value.read_blob().to_vec();
                    Ok(String::from_utf8(bytes)
                        .map_or_else(|error| KeyValue::RawText(error.into_bytes()), KeyValue::Text))
                }
                text => Ok(KeyValue::Text(text.to_owned())),
            },
            Some(SqliteType::Binary) => Ok(KeyValue::Bytes(value.read_blob().to_vec())),
            Some(SqliteType::Float | SqliteType::Double) => Ok(KeyValue::Real(value.read_double())),
            Some(SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long) => Ok(KeyValue::Int(value.read_long())),
            None => Ok(KeyValue::Null),
        }
    }

    fn read_cell(mut value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        let is_text = value.value_type() != Some(SqliteType::Binary);
        let bytes = if is_text { value.read_text().as_bytes().to_vec() } else { value.read_blob().to_vec() };
        Ok(Cell { bytes, is_text })
    }
}

/// Pushes a value of the row key, or `NULL` for a spare slot.
pub(crate) fn push_slot_key<'b>(
    value: &'b KeyValue,
    is_spare: bool,
    out: &mut AstPass<'_, 'b, Sqlite>,
) -> QueryResult<()> {
    match value {
        _ if is_spare => out.push_bind_param::<Nullable<BigInt>, _>(&None::<i64>),
        KeyValue::Int(value) => out.push_bind_param::<BigInt, _>(value),
        KeyValue::Real(value) => out.push_bind_param::<Double, _>(value),
        KeyValue::Text(value) => out.push_bind_param::<Text, _>(value),
        KeyValue::Bytes(value) => out.push_bind_param::<Binary, _>(value),
        KeyValue::RawText(value) => {
            // The sign takes the affinity of the cast away, which would change how values of other types compare.
            out.push_sql("+CAST(");
            out.push_bind_param::<Binary, _>(value)?;
            out.push_sql(" AS TEXT)");
            Ok(())
        }
        KeyValue::UInt(_) | KeyValue::Null => {
            Err(Error::QueryBuilderError("a row key has a type that this database never returns".into()))
        }
    }
}
