//! The columns of a table in the catalogue.

use diesel::RunQueryDsl;
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::connection::Conn;
use crate::database::sql::{Fields, Sql};

/// A column's entry in the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KnownColumn {
    pub(crate) name: String,
    pub(crate) declared: String,
    pub(crate) is_not_null: bool,
    pub(crate) default: Option<String>,
    /// The position in the primary key, from 1.
    pub(crate) key: String,
    pub(crate) is_generated: bool,
}

pub(crate) fn columns<C: Conn<Sqlite>>(conn: &mut C, schema: &str, table: &str) -> QueryResult<Vec<KnownColumn>> {
    let sql = "SELECT name, type, CAST(\"notnull\" AS TEXT), dflt_value, CAST(pk AS TEXT), CAST(hidden AS TEXT) \
        FROM pragma_table_xinfo(?, ?)";
    let rows: Vec<Fields> = Sql::new(sql).bind(table).bind(schema).load(conn)?;
    let column = |row: Fields| {
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        KnownColumn {
            name: next().unwrap_or_default(),
            declared: next().unwrap_or_default(),
            is_not_null: next().as_deref() == Some("1"),
            default: next(),
            key: next().unwrap_or_default(),
            is_generated: next().is_some_and(|hidden| hidden != "0"),
        }
    };
    Ok(rows.into_iter().map(column).collect())
}
