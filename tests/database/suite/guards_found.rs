//! Guards are found in the catalogue.

use diesel_encrypted::TableName;
use diesel_encrypted::guard::{self, GuardKind};

use super::super::shipped::GUARD_KIND;
use super::super::support::Conn;
use super::migrations::migrated;

fn found(conn: &mut Conn, table: &str, column: &str) -> Option<GuardKind> {
    guard::of(conn, &TableName::new(table), column).unwrap()
}

#[test]
fn those_that_are_shipped() {
    let db = migrated();
    let conn = &mut db.conn();
    for column in ["email", "phone", "photo"] {
        assert_eq!(found(conn, "people", column), Some(GUARD_KIND), "{column}");
    }
    for (table, column) in [("people", "name"), ("people", "id"), ("people", "mail"), ("persons", "email")] {
        assert_eq!(found(conn, table, column), None, "{table}.{column}");
    }
}
