//! How MySQL and MariaDB send and return row keys and cells.

use diesel::deserialize::{self, FromSql};
use diesel::mysql::{Mysql, MysqlType};
use diesel::query_builder::AstPass;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Unsigned};

use crate::database::catalogue::is_wide;
use crate::database::quote::{push_column, push_filled};
use crate::database::{CatalogueColumn, Cell, Encoding, KeyColumn, KeyValue, PlannedColumn, RowFormat, TextRows};
use crate::fields::Form;
use crate::keys::fernet::shape;
use crate::keys::key::hex;

/// What comes in the place of a text that cannot be read. No column holds this: it is not UTF-8.
const TOO_LONG: &[u8] = b"\xfflonger than max_allowed_packet";

impl TextRows for Mysql {
    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_bind_param::<Text, _>(text)
    }

    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String> {
        Ok(String::from_utf8(value.as_bytes().to_vec())?)
    }
}

impl RowFormat for Mysql {
    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let (before, after) = match column {
            KeyColumn { cast: Some(_), .. } => ("CAST(", " AS CHAR)"),
            // Not every text survives a conversion to Unicode and back.
            KeyColumn { encoding: Some(_), .. } => ("CAST(", " AS BINARY)"),
            _ => ("", ""),
        };
        out.push_sql(before);
        push_column(&column.name, out)?;
        out.push_sql(after);
        Ok(())
    }

    /// A text whose characters are not all known to Unicode comes as the byte `FF`, which is not UTF-8, and its bytes.
    ///
    /// The functions return `NULL` for a text that is longer than `max_allowed_packet`. Such a text must not pass for
    /// `NULL`: it comes in its own character set, if that contains ASCII as it is.
    fn push_cell_output(column: &PlannedColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let Some(set) = &column.character_set else { return push_column(&column.name, out) };
        out.push_sql("COALESCE(CASE WHEN CAST(CONVERT(CONVERT(");
        push_column(&column.name, out)?;
        out.push_sql(&format!(" USING utf8mb4) USING {set}) AS BINARY) = CAST("));
        push_column(&column.name, out)?;
        out.push_sql(" AS BINARY) THEN CAST(CONVERT(");
        push_column(&column.name, out)?;
        out.push_sql(" USING utf8mb4) AS BINARY) WHEN ");
        push_column(&column.name, out)?;
        out.push_sql(" IS NOT NULL THEN CONCAT(X'FF', CAST(");
        push_column(&column.name, out)?;
        out.push_sql(" AS BINARY)) END, ");
        if !is_wide(set) {
            push_column(&column.name, out)?;
            out.push_sql(")");
            return Ok(());
        }
        out.push_sql("CASE WHEN ");
        push_column(&column.name, out)?;
        out.push_sql(&format!(" IS NOT NULL THEN X'{}' END)", hex(TOO_LONG)));
        Ok(())
    }

    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        push_slot_key(value, column, false, out)
    }

    fn push_sampled(column: &CatalogueColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        let (before, after) = match column.form {
            // The conversion accepts every character set.
            // A document, such as JSON, is sampled as text.
            Some(Form::Text) | None => ("CONVERT(", " USING utf8mb4)"),
            _ => ("", ""),
        };
        push_filled(&shape::mysql::sampled(), out, |out| {
            out.push_sql(before);
            push_column(&column.name, out)?;
            out.push_sql(after);
            Ok(())
        })
    }

    fn is_key(value: &KeyValue) -> bool {
        matches!(value, KeyValue::Int(_) | KeyValue::UInt(_) | KeyValue::Text(_) | KeyValue::Bytes(_))
    }

    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue> {
        use MysqlType as Type;
        match value.value_type() {
            Type::Tiny | Type::Short | Type::Long | Type::LongLong => {
                <i64 as FromSql<BigInt, Self>>::from_sql(value).map(KeyValue::Int)
            }
            Type::UnsignedTiny | Type::UnsignedShort | Type::UnsignedLong | Type::UnsignedLongLong => {
                <u64 as FromSql<Unsigned<BigInt>, Self>>::from_sql(value).map(KeyValue::UInt)
            }
            Type::Blob => Ok(KeyValue::Bytes(value.as_bytes().to_vec())),
            Type::String => Ok(KeyValue::Text(String::from_utf8(value.as_bytes().to_vec())?)),
            other => Err(format!("a row key of the type {other:?} cannot be read").into()),
        }
    }

    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell> {
        if value.as_bytes() == TOO_LONG {
            return Err("a value is longer than max_allowed_packet, and cannot be read. Raise it on the server".into());
        }
        Ok(Cell::new(value.as_bytes().to_vec(), value.value_type() != MysqlType::Blob))
    }
}

/// Pushes a value of the row key, or a `NULL` of its type for a spare slot.
pub(crate) fn push_slot_key<'b>(
    value: &'b KeyValue,
    column: &'b KeyColumn,
    is_spare: bool,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    let (before, after) = match column {
        KeyColumn { cast: Some(cast), .. } => ("CAST(", format!(" AS {cast})")),
        // The server takes bytes for a text in this character set, without a conversion.
        KeyColumn { encoding: Some(Encoding { charset, collation }), .. } => {
            ("CONVERT(", format!(" USING {charset}) COLLATE {collation}"))
        }
        _ => ("", String::new()),
    };
    out.push_sql(before);
    match (value, is_spare) {
        (KeyValue::Int(value), false) => out.push_bind_param::<BigInt, _>(value)?,
        (KeyValue::Int(_), true) => out.push_bind_param::<Nullable<BigInt>, _>(&None::<i64>)?,
        (KeyValue::UInt(value), false) => out.push_bind_param::<Unsigned<BigInt>, _>(value)?,
        (KeyValue::UInt(_), true) => out.push_bind_param::<Nullable<Unsigned<BigInt>>, _>(&None::<u64>)?,
        (KeyValue::Text(value), false) => out.push_bind_param::<Text, _>(value)?,
        (KeyValue::Text(_), true) => out.push_bind_param::<Nullable<Text>, _>(&None::<&str>)?,
        (KeyValue::Bytes(value), false) => out.push_bind_param::<Binary, _>(value)?,
        (KeyValue::Bytes(_), true) => out.push_bind_param::<Nullable<Binary>, _>(&None::<&[u8]>)?,
        (KeyValue::Real(_) | KeyValue::RawText(_) | KeyValue::Null, _) => {
            return Err(DieselError::QueryBuilderError("a row key has a type that this database never returns".into()));
        }
    }
    out.push_sql(&after);
    Ok(())
}
