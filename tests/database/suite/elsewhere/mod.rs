//! Columns that other programs filled, declared as in `docs/elsewhere.md`. The data files come from these programs.

mod apache_airflow;
mod django_fernet_encrypted_fields;
mod django_fernet_fields;
mod openstack_barbican;
mod openstack_keystone;
mod pinakes;
mod prefect_server;
mod sqlalchemy_utils;

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, Report, Task};
use diesel_encrypted::{Encrypted, Key, Keyring, Target};
use serde_json::Value;

use super::sql::bytes;
use crate::backend::{BYTES_LITERAL, Conn, QUOTE, SELECT_BYTES, SELECT_TEXT, TestDatabase};
use crate::support::python;
use crate::support::recordings::{Cell, Recording, Row, Set};

/// Reads the rows of a table as the original program reads them.
type Read = fn(&mut Conn) -> Vec<Value>;

/// Checks that the rows of `set` are readable in a table of this definition, before and after a rotation to a new key.
fn reads_and_rotates(set: &Set, table: &str, columns: &str, target: Target, read: Read) -> Report {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    create(conn, table, columns, &set.rows);
    let (old, new) = (set.keyring(), Key::generate().to_text().to_string());
    assert_eq!(scope(&old, || read(conn)), set.read());
    let both = Arc::new(Keyring::parse(&format!("{new}:{old}")).unwrap());
    let report = Task::new(both).target(target).run(&db.pool(2)).unwrap();
    assert_eq!(scope(&new, || read(conn)), set.read());
    report
}

/// The same for a table that contains tokens only: the old keys may be removed.
fn reads_and_rotates_to_the_end(set: &Set, table: &str, columns: &str, target: Target, read: Read) {
    let report = reads_and_rotates(set, table, columns, target, read);
    assert_eq!(report.outcome(), Outcome::Proven);
    assert!(report.columns().iter().all(|column| column.rewritten > 0), "{report:?}");
}

/// Checks the one row of a table that this crate wrote under the primary key of `set`. Its columns must hold the values
/// that the original read when the data file was made.
fn writes_what_the_original_was_asked_to_read(recording: &Recording, set: &Set, conn: &mut Conn, table: &str) {
    assert!(!recording.returned.is_empty());
    for (column, returned) in &recording.returned {
        let form = if returned.iter().any(|returned| returned.form == "bytes") { SELECT_BYTES } else { SELECT_TEXT };
        let select = form.replace("secret", column);
        let token = bytes(conn, &format!("select {select} from {table}"));
        let form = if token.is_ascii() { "text" } else { "bytes" };
        let (plaintext, _) = python::open(&set.keys[0], &[token]).remove(0).expect("Python opens the token");
        let plaintext = String::from_utf8(plaintext).unwrap();
        let is_it = |(known, known_form): (&str, &str)| known == plaintext && known_form == form;
        let mut known = returned.iter().map(|returned| (returned.plaintext.as_str(), returned.form.as_str()));
        assert!(known.any(is_it), "{column}: {plaintext:?} as {form} is not among {returned:?}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Database {
    Postgres,
    Mysql,
    Sqlite,
}

/// The database of these tests.
fn database() -> Database {
    match (QUOTE, BYTES_LITERAL) {
        ('`', _) => Database::Mysql,
        (_, "x'{}'") => Database::Sqlite,
        _ => Database::Postgres,
    }
}

/// A block of SQL in a section of `docs/elsewhere.md`, counted from 0.
fn documented(section: &str, number: usize) -> String {
    let document = include_str!("../../../../docs/elsewhere.md");
    let (_, rest) = document.split_once(&format!("\n## {section}\n")).expect("the section");
    let section = rest.split("\n## ").next().unwrap();
    let block = section.split("```sql\n").nth(number + 1).expect("the block");
    block.split("```").next().unwrap().to_owned()
}

fn create(conn: &mut Conn, table: &str, columns: &str, rows: &[Row]) {
    let table = format!("{QUOTE}{table}{QUOTE}");
    conn.batch_execute(&format!("create table {table} (id bigint not null primary key, {columns})")).unwrap();
    for row in rows {
        let (names, cells): (Vec<_>, Vec<_>) = row.stored.iter().map(|(name, cell)| (&**name, literal(cell))).unzip();
        let sql = format!("insert into {table} ({}) values ({})", names.join(", "), cells.join(", "));
        conn.batch_execute(&sql).unwrap();
    }
}

/// Returns a cell as a literal of any of the databases.
fn literal(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Number(number) => format!("'{number}'"), // This includes booleans.
        Cell::Text(text) => format!("'{text}'"),
        Cell::Bytes { hex } => BYTES_LITERAL.replace("{}", hex),
    }
}

fn scope<R>(keys: &str, body: impl FnOnce() -> R) -> R {
    Arc::new(Keyring::parse(keys).unwrap()).scope(body)
}

/// Returns a field in the form of the data files.
fn field<T: Debug>(value: Option<Encrypted<T>>, show: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, |value| show(value.into_inner()))
}

fn naive(moment: NaiveDateTime) -> Value {
    moment.format("%Y-%m-%dT%H:%M:%S%.3f").to_string().into()
}

fn utc(moment: DateTime<Utc>) -> Value {
    moment.to_rfc3339_opts(SecondsFormat::Millis, false).into()
}
