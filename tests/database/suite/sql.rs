//! Queries in SQL that return one column.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Text};

use crate::backend::Conn;

/// Whether a condition is true.
pub fn is_true(conn: &mut Conn, condition: &str) -> bool {
    diesel::select(sql::<Bool>(condition)).get_result(conn).unwrap()
}

/// The number that `select` returns.
pub fn number(conn: &mut Conn, select: &str) -> i64 {
    diesel::select(column::<BigInt>(select)).get_result(conn).unwrap()
}

/// The text that `select` returns.
pub fn text(conn: &mut Conn, select: &str) -> String {
    diesel::select(column::<Text>(select)).get_result(conn).unwrap()
}

/// The texts that `select` returns.
pub fn texts(conn: &mut Conn, select: &str) -> Vec<String> {
    diesel::select(column::<Text>(select)).load(conn).unwrap()
}

/// The bytes that `select` returns.
pub fn bytes(conn: &mut Conn, select: &str) -> Vec<u8> {
    diesel::select(column::<Binary>(select)).get_result(conn).unwrap()
}

fn column<T: diesel::expression::TypedExpressionType>(select: &str) -> SqlLiteral<T> {
    sql(select.trim_start().strip_prefix("select ").expect("a select statement"))
}
