//! The library finds guards in the catalogue.

use diesel::connection::SimpleConnection;
use diesel_encrypted::TableName;
use diesel_encrypted::guard::{self, GuardKind};

use super::migrations::migrated;
use super::program::guard::Migrations;
use crate::backend::{Conn, QUOTE, TEXT, TestDatabase};
use crate::shipped::GUARD_KIND;

fn found(conn: &mut Conn, table: &str, column: &str) -> Option<GuardKind> {
    guard::of(conn, &TableName::new(table), column).unwrap()
}

#[test]
fn the_shipped_guards() {
    let db = migrated();
    let conn = &mut db.conn();
    for column in ["email", "phone", "photo"] {
        assert_eq!(found(conn, "people", column), Some(GUARD_KIND), "{column}");
    }
    for (table, column) in [("people", "name"), ("people", "id"), ("people", "mail"), ("persons", "email")] {
        assert_eq!(found(conn, table, column), None, "{table}.{column}");
    }
}

/// The guard of `email` contains these words. Columns with such names do not have a guard because of that.
#[test]
fn a_column_with_the_name_of_a_function_or_a_type() {
    let names = ["length", "char", "trim", "substr", "octet_length", "utf8mb4", "regexp_like", "typeof"];
    let columns: Vec<String> = names.iter().map(|name| format!("{QUOTE}{name}{QUOTE} {TEXT}")).collect();
    let db = TestDatabase::new();
    db.conn().batch_execute(&format!("create table t (email {TEXT}, {})", columns.join(", "))).unwrap();
    let conn = &mut db.conn();
    let migrations = Migrations::written(&db, &["t.email"]);
    migrations.run(conn).unwrap();
    assert!(found(conn, "t", "email").is_some());
    for name in names {
        assert_eq!(found(conn, "t", name), None, "{name}");
    }
    migrations.revert(conn).unwrap();
    let guarded: Vec<String> = names.iter().map(|name| format!("t.{name}")).collect();
    let migrations = Migrations::written(&db, &guarded.iter().map(String::as_str).collect::<Vec<_>>());
    migrations.run(conn).unwrap();
    for name in names {
        assert!(found(conn, "t", name).is_some(), "{name}");
    }
}
