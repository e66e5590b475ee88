//! Apache Airflow: tokens in text columns. Rows that were written without a key hold plaintext.

use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Outcome, ProblemKind, Report, Task};
use diesel_encrypted::{Adopting, Encrypted, Json, Key, Keyring, Target};
use serde_json::{Value, json};

use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::recordings::{Recording, Set};

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

    connection_test_request (id) {
        id -> BigInt,
        password -> Nullable<EncryptedText>,
        is_encrypted -> Nullable<Bool>,
        extra -> Nullable<EncryptedText>,
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

fn set(table: &str) -> Set {
    let is_it = |set: &Set| set.table.as_deref() == Some(table);
    Recording::of("apache-airflow").sets.into_iter().find(is_it).unwrap()
}

fn columns() -> String {
    format!("conn_id {TEXT}, password {TEXT}, extra {TEXT}, is_encrypted boolean, is_extra_encrypted boolean")
}

type Text = Option<Adopting<String>>;

fn text(value: Text) -> Option<String> {
    value.map(Adopting::into_inner)
}

fn connections(conn: &mut Conn) -> Vec<Value> {
    type Row = (i64, String, Text, Text, Option<bool>, Option<bool>);
    let rows: Vec<Row> = connection::table.order(connection::id).load(conn).unwrap();
    let show = |(id, conn_id, password, extra, is_encrypted, is_extra_encrypted)| {
        json!({
            "id": id,
            "conn_id": conn_id,
            "password": text(password),
            "extra": text(extra),
            "is_encrypted": is_encrypted,
            "is_extra_encrypted": is_extra_encrypted,
        })
    };
    rows.into_iter().map(show).collect()
}

fn requests(conn: &mut Conn) -> Vec<Value> {
    type Row = (i64, Text, Option<bool>, Text, Option<bool>);
    let rows: Vec<Row> = connection_test_request::table.order(connection_test_request::id).load(conn).unwrap();
    let show = |(id, password, is_encrypted, extra, is_extra_encrypted)| {
        json!({
            "id": id,
            "password": text(password),
            "is_encrypted": is_encrypted,
            "extra": text(extra),
            "is_extra_encrypted": is_extra_encrypted,
        })
    };
    rows.into_iter().map(show).collect()
}

fn variables(conn: &mut Conn) -> Vec<Value> {
    let rows: Vec<(i64, Text, Option<bool>)> = variable::table.order(variable::id).load(conn).unwrap();
    let show = |(id, val, is_encrypted)| json!({"id": id, "val": text(val), "is_encrypted": is_encrypted});
    rows.into_iter().map(show).collect()
}

fn triggers(conn: &mut Conn) -> Vec<Value> {
    let rows: Vec<(i64, Encrypted<Json<Value>>)> = trigger::table.order(trigger::id).load(conn).unwrap();
    rows.into_iter().map(|(id, kwargs)| json!({"id": id, "kwargs": kwargs.into_inner().0})).collect()
}

/// Values that Airflow stored without a key are plaintext, and stay unchanged.
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
    let target = Target::of(connection::table).unwrap();
    let report = super::reads_and_rotates(&set("connection"), "connection", &columns(), target, connections);
    is_done_but_for(&report, &["extra", "extra", "password"]);
}

/// The flags say where plaintext is right, so that a rotation can end with nothing left.
#[test]
fn flags_declare_plaintext() {
    let set = set("connection");
    let db = TestDatabase::new();
    super::create(&mut db.conn(), "connection", &columns(), &set.rows);
    let new = Key::generate().to_text().to_string();
    let keyring = Keyring::parse(&format!("{new}:{}", set.keyring())).unwrap();
    let rules = [
        ("connection.password", "NOT is_encrypted OR password = ''"),
        ("connection.extra", "NOT is_extra_encrypted OR extra = ''"),
    ];
    let task = Task::new(keyring).target(Target::of(connection::table).unwrap());
    let task = rules.iter().fold(task, |task, (column, rule)| task.plaintext_where(column.parse().unwrap(), *rule));
    let before = super::scope(&set.keyring(), || connections(&mut db.conn()));
    let report = task.run(&db.pool(2)).unwrap();
    assert!(report.old_keys_may_go(), "{report:?}");
    assert_eq!(report.columns().iter().map(|column| column.exempt).sum::<u64>(), 3);
    assert_eq!(super::scope(&new, || connections(&mut db.conn())), before);
}

#[test]
fn requests_for_tests_of_connections_are_read_and_rotated() {
    let columns = format!("password {TEXT}, extra {TEXT}, is_encrypted boolean, is_extra_encrypted boolean");
    let target = Target::of(connection_test_request::table).unwrap();
    let set = set("connection_test_request");
    super::reads_and_rotates_to_the_end(&set, "connection_test_request", &columns, target, requests);
}

#[test]
fn flags_tell_which_rows_have_tokens() {
    let set = set("connection");
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "connection", &columns(), &set.rows);
    super::scope(&set.keyring(), || {
        let extras = connection::table.filter(connection::is_extra_encrypted.eq(true)).order(connection::id);
        let extras: Vec<Option<Encrypted<Json<Value>>>> = extras.select(connection::extra).load(conn).unwrap();
        let extras: Vec<_> = extras.into_iter().flatten().map(|extra| extra.into_inner().0).collect();
        assert_eq!(extras, [json!({"sslmode": "require", "key": "ключ"}), json!({"timeout": 5})]);
        let all = connection::table.select(connection::password).load::<Option<Encrypted<String>>>(conn);
        assert!(all.is_err(), "plaintext was loaded");
    });
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
