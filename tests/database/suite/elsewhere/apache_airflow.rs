//! Apache Airflow: tokens in text columns, beside plaintext where there was no key.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Outcome, ProblemKind, Report};
use diesel_encrypted::{Encrypted, Json, Target};
use serde_json::{Value, json};

use super::super::super::support::{Conn, TEXT, TestDatabase};
use super::field;
use crate::data::{Recording, Set};

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    connection (id) {
        id -> BigInt,
        conn_id -> Text,
        password -> Nullable<EncryptedText>,
        extra -> Nullable<EncryptedText>,
        is_encrypted -> Nullable<Bool>,
        is_extra_encrypted -> Nullable<Bool>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    variable (id) {
        id -> BigInt,
        val -> Nullable<EncryptedText>,
        is_encrypted -> Nullable<Bool>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    trigger (id) {
        id -> BigInt,
        kwargs -> EncryptedText,
    }
}

/// The recorded rows of a table, with `null` for what Airflow stored as plaintext.
fn set(table: &str) -> Set {
    let is_it = |set: &Set| set.table.as_deref() == Some(table);
    let mut set = Recording::of("apache-airflow").sets.into_iter().find(is_it).unwrap();
    for row in &mut set.rows {
        for (column, flag) in [("password", "is_encrypted"), ("val", "is_encrypted"), ("extra", "is_extra_encrypted")] {
            if row.read.get(flag) == Some(&json!(false)) && row.read.contains_key(column) {
                row.read.insert(column.into(), Value::Null);
            }
        }
    }
    set
}

fn columns() -> String {
    format!("conn_id {TEXT}, password {TEXT}, extra {TEXT}, is_encrypted boolean, is_extra_encrypted boolean")
}

/// Rows are asked for by the flag of the column that is read.
fn connections(conn: &mut Conn) -> Vec<Value> {
    let passwords = connection::table.filter(connection::is_encrypted.eq(true));
    let passwords: Vec<(i64, Option<Encrypted<String>>)> =
        passwords.select((connection::id, connection::password)).load(conn).unwrap();
    let extras = connection::table.filter(connection::is_extra_encrypted.eq(true));
    let extras: Vec<(i64, Option<Encrypted<Json<Value>>>)> =
        extras.select((connection::id, connection::extra)).load(conn).unwrap();
    let (mut passwords, mut extras) = (BTreeMap::from_iter(passwords), BTreeMap::from_iter(extras));
    let others = (connection::id, connection::conn_id, connection::is_encrypted, connection::is_extra_encrypted);
    let rows: Vec<(i64, String, Option<bool>, Option<bool>)> =
        connection::table.order(connection::id).select(others).load(conn).unwrap();
    let show = |(id, conn_id, is_encrypted, is_extra_encrypted)| {
        json!({
            "id": id,
            "conn_id": conn_id,
            "password": field(passwords.remove(&id).flatten(), Value::from),
            "extra": field(extras.remove(&id).flatten(), |json| json.0),
            "is_encrypted": is_encrypted,
            "is_extra_encrypted": is_extra_encrypted,
        })
    };
    rows.into_iter().map(show).collect()
}

fn variables(conn: &mut Conn) -> Vec<Value> {
    let vals = variable::table.filter(variable::is_encrypted.eq(true)).select((variable::id, variable::val));
    let vals: Vec<(i64, Option<Encrypted<String>>)> = vals.load(conn).unwrap();
    let mut vals = BTreeMap::from_iter(vals);
    let rows: Vec<(i64, Option<bool>)> =
        variable::table.order(variable::id).select((variable::id, variable::is_encrypted)).load(conn).unwrap();
    let show = |(id, is_encrypted)| json!({"id": id, "val": field(vals.remove(&id).flatten(), Value::from), "is_encrypted": is_encrypted});
    rows.into_iter().map(show).collect()
}

fn triggers(conn: &mut Conn) -> Vec<Value> {
    let rows: Vec<(i64, Encrypted<Json<Value>>)> = trigger::table.order(trigger::id).load(conn).unwrap();
    // As Airflow's `BaseSerialization` writes a dictionary.
    rows.into_iter().map(|(id, kwargs)| json!({"id": id, "kwargs": kwargs["__var"]})).collect()
}

/// What Airflow stored without a key is plaintext, and stays as it is.
fn is_done_but_for(report: &Report, plaintexts: &[&str]) {
    assert_eq!(report.outcome(), Outcome::Proven);
    assert!(report.columns().iter().all(|column| column.rewritten > 0), "{report:?}");
    assert!(report.problems().iter().all(|problem| problem.kind == ProblemKind::Plaintext), "{report:?}");
    let mut columns: Vec<_> = report.problems().iter().map(|problem| problem.column.as_str()).collect();
    columns.sort_unstable();
    assert_eq!(columns, plaintexts);
}

#[test]
fn connections_are_read_and_rotated() {
    let mut set = set("connection");
    for row in &mut set.rows {
        // A text of JSON to Airflow, JSON to us.
        if let Some(Value::String(extra)) = row.read.get("extra") {
            let extra = serde_json::from_str(extra).unwrap();
            row.read.insert("extra".into(), extra);
        }
    }
    let target = Target::of(connection::table).unwrap();
    let report = super::reads_and_rotates(&set, "connection", &columns(), target, connections);
    is_done_but_for(&report, &["extra", "extra", "password"]);
}

#[test]
fn variables_are_read_and_rotated() {
    let columns = format!("val {TEXT}, is_encrypted boolean");
    let target = Target::of(variable::table).unwrap();
    let report = super::reads_and_rotates(&set("variable"), "variable", &columns, target, variables);
    is_done_but_for(&report, &["val"]);
}

#[test]
fn triggers_are_read_and_rotated() {
    let columns = format!("kwargs {TEXT} not null");
    let target = Target::of(trigger::table).unwrap();
    super::reads_and_rotates_to_the_end(&set("trigger"), "trigger", &columns, target, triggers);
}

#[test]
fn writes_what_airflow_reads() {
    let (recording, set) = (Recording::of("apache-airflow"), set("connection"));
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "connection", &columns(), &[]);
    super::scope(&set.keyring(), || {
        let row = (
            connection::id.eq(1),
            connection::conn_id.eq("ours"),
            connection::password.eq(Encrypted::from("Zoë".to_owned())),
            connection::is_encrypted.eq(true),
            connection::extra.eq(Encrypted::from(Json(json!({"timeout": 5})))),
            connection::is_extra_encrypted.eq(true),
        );
        diesel::insert_into(connection::table).values(row).execute(conn).unwrap();
    });
    super::writes_what_the_original_was_asked_to_read(&recording, &set, conn, "connection");
}
