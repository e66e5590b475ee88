//! How PostgreSQL sends and returns row keys and cells.

use diesel::deserialize::{self, FromSql};
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::Text;

use crate::database::quote::{push_column, push_filled};
use crate::database::{CatalogueColumn, Cell, KeyColumn, KeyValue, PlannedColumn, RowFormat, TextRows};
use crate::fields::Form;
use crate::keys::fernet::shape;

impl TextRows for Pg {
    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String> {
        <String as FromSql<Text, Self>>::from_sql(value)
    }
}

impl RowFormat for Pg {
    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        push_column(&column.name, out)?;
        out.push_sql("::text");
        Ok(())
    }

    fn push_cell_output(column: &PlannedColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        // Arrays have no bytes in another encoding.
        let as_bytes = column.character_set.as_ref().filter(|_| column.is_text && !column.is_array);
        out.push_sql(if as_bytes.is_some() { "convert_to(" } else { "" });
        push_column(&column.name, out)?;
        out.push_sql(cast(column));
        if let Some(encoding) = as_bytes {
            out.push_sql(&format!(", '{encoding}')"));
        }
        Ok(())
    }

    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text(value)?)?;
        push_key_cast(column, out);
        Ok(())
    }

    fn push_sampled(column: &CatalogueColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        // A document, such as JSON, is sampled as text.
        let is_text = column.form != Some(Form::Binary);
        push_filled(&shape::postgres::sampled(is_text), out, |out| {
            if column.is_array {
                // The first value of an array represents all of them.
                out.push_sql("(SELECT v FROM unnest(");
            }
            push_column(&column.name, out)?;
            if column.is_array {
                out.push_sql(") AS v WHERE v IS NOT NULL LIMIT 1)");
            }
            out.push_sql(base_cast(is_text));
            Ok(())
        })
    }

    fn is_key(value: &KeyValue) -> bool {
        matches!(value, KeyValue::Text(_))
    }

    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        let bytes = value.as_bytes().to_vec();
        // The one-byte type "char" may hold half a character.
        Ok(String::from_utf8(bytes).map_or_else(|error| KeyValue::RawText(error.into_bytes()), KeyValue::Text))
    }

    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        const BYTEA: u32 = 17;
        const BYTEA_ARRAY: u32 = 1001;
        let is_text = ![BYTEA, BYTEA_ARRAY].contains(&value.get_oid().get());
        Ok(Cell::new(value.as_bytes().to_vec(), is_text))
    }
}

/// Casts a column to the type in which the task reads and compares it.
pub(crate) fn cast(column: &PlannedColumn) -> &'static str {
    match (column.is_array, column.is_text) {
        (false, is_text) => base_cast(is_text),
        (true, true) => "::text[]",
        (true, false) => "::bytea[]",
    }
}

/// Casts a domain and `citext` to their base type.
fn base_cast(is_text: bool) -> &'static str {
    if is_text { "::text" } else { "::bytea" }
}

pub(crate) fn push_key_cast(column: &KeyColumn, out: &mut AstPass<'_, '_, Pg>) {
    out.push_sql("::text::");
    out.push_sql(column.cast.as_deref().unwrap_or("text"));
}

/// On this backend every row key is text.
pub(crate) fn text(value: &KeyValue) -> QueryResult<&String> {
    match value {
        KeyValue::Text(text) => Ok(text),
        _ => Err(DieselError::QueryBuilderError("a row key is not text".into())),
    }
}
