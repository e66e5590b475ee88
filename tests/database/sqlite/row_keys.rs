//! Row keys of SQLite only: the index of the primary key shows their order.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Refusal, Task};
use diesel_encrypted::{TableName, Target};

use crate::backend::TestDatabase;
use crate::suite::row_keys::{insert, refused, rotate, rotate_all};
use crate::support::keys::keyring;

/// The statement that creates a table `t`, and the values of its column `id`.
const TABLES: &[(&str, &[&str])] = &[
    (
        "create table t (id text collate nocase not null, secret text, primary  key (id collate binary))",
        &["'a'", "'b'", "'x'", "'X'", "'k'", "'K'"],
    ),
    (
        "create table t (id text collate nocase not null, secret text, primary /* ( */ key
         (id collate binary)) without rowid",
        &["'a'", "'b'", "'x'", "'X'", "'k'", "'K'"],
    ),
    (
        "create table t (id text collate rtrim not null, secret text, primary key (id collate binary)) without rowid",
        &["'a'", "'a '", "'a  '", "'b'"],
    ),
    (
        "create table t (id text not null, secret text, primary key (id collate nocase)) without rowid",
        &["'a'", "'B'", "'c'"],
    ),
    (
        "create table t (id primary key, secret text) without rowid",
        &["1", "1.5", "'a'", "x'00'", "x'61'", "'10'", "cast(x'ff' as text)", "cast(x'80' as text)", "x'ff'", "9e999"],
    ),
    (
        "create table t (id int primary key, secret text) without rowid",
        &["1", "1.5", "'a'", "x'00'", "cast(x'ff' as text)", "cast(x'80' as text)", "9007199254740993"],
    ),
    (
        "create table t (id text collate nocase primary key, secret text) without rowid",
        &["cast(x'636166e9' as text)", "cast(x'ff' as text)", "'B'", "cast(x'4180' as text)", "'caf' || char(65533)"],
    ),
    ("create table t (id any primary key, secret text) strict, without rowid", &["1", "'a'", "x'00'", "1.5", "'1'"]),
    ("create table t (id integer primary key desc, secret text)", &["null", "1", "null", "2"]),
    ("create table t (id integer not null primary key desc, secret text)", &["5", "1", "3"]),
    ("create table t (id integer primary key desc, secret text) without rowid", &["5", "1", "3"]),
    ("create table t (id int primary key, secret text)", &["1", "null", "3", "null"]),
    ("create table t (id \"INTEGER\" primary key, secret text)", &["1", "3", "2"]),
    ("create table t (\"rowid\" text, id text primary key, secret text)", &["null", "'b'", "null"]),
    ("pragma encoding = 'UTF-16le'; create table t (id text primary key, secret text) without rowid", &["'a'", "'é'"]),
    (
        "pragma encoding = 'UTF-16be'; create table t (id text not null primary key, secret text)",
        &["'a'", "char(65533)", "'😀'"],
    ),
];

#[test]
fn in_the_order_of_the_index() {
    for (table, values) in TABLES {
        let db = TestDatabase::new();
        db.conn().batch_execute(table).unwrap();
        rotate_all(&db, table, values);
    }
}

#[test]
fn of_columns_in_several_orders() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create table t (a text, b text, secret text,
                         primary key (a collate nocase desc, b collate binary, a collate binary)) without rowid",
    )
    .unwrap();
    let keys = ["'A', 'x'", "'a', 'x'", "'A', 'X'", "'b', 'z'", "'a', 'z'"];
    for (number, key) in keys.iter().enumerate() {
        insert(&mut conn, "a, b", key, &number.to_string());
    }
    rotate(&db, "three parts", &["0", "1", "2", "3", "4"].map(str::to_owned));
}

/// Changes the schema behind the back of SQLite.
fn edit(db: &TestDatabase, edits: &str) {
    db.conn().batch_execute(&format!("pragma writable_schema = on; {edits}; pragma writable_schema = reset")).unwrap();
}

#[test]
fn a_collation_that_only_the_application_has() {
    let db = TestDatabase::new();
    let table = "create table t (id text not null collate binary primary key, secret text)";
    db.conn().batch_execute(table).unwrap();
    for id in ["'a'", "'b'", "'c'"] {
        insert(&mut db.conn(), "id", id, "x");
    }
    edit(&db, "update sqlite_master set sql = replace(sql, 'collate binary', 'collate french') where name = 't'");
    rotate(&db, table, &["x", "x", "x"].map(str::to_owned));

    // Without a row id there is no other way to the rows.
    let db = TestDatabase::new();
    db.conn().batch_execute(&format!("{table} without rowid")).unwrap();
    edit(&db, "update sqlite_master set sql = replace(sql, 'collate binary', 'collate french') where name = 't'");
    let task = Task::new(keyring([2, 1])).target(Target::named(TableName::new("t"), ["secret"]).unwrap());
    let error = task.run(&db.pool(1)).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::NoRowKey { .. })), "{error}");
    assert!(error.to_string().contains("sorts the column id by the collation french"), "{error}");
}

#[test]
fn a_null_where_none_can_be() {
    let db = TestDatabase::new();
    db.conn().batch_execute("create table t (id text primary key, secret text)").unwrap();
    for id in ["null", "'b'", "'c'"] {
        insert(&mut db.conn(), "id", id, "x");
    }
    edit(&db, "update sqlite_master set sql = replace(sql, 'id text', 'id text not null') where name = 't'");
    let (refusal, text) = refused(&db);
    let Refusal::Row { row, .. } = refusal else { panic!("{text}") };
    assert_eq!(row, "id=NULL");
}

#[test]
fn no_name_is_left_for_the_row_id() {
    let db = TestDatabase::new();
    db.conn().batch_execute("create table t (rowid text, _rowid_ text, oid text primary key, secret text)").unwrap();
    let (_, text) = refused(&db);
    assert!(text.contains("its columns take all names of the row id"), "{text}");
}

#[test]
fn a_row_key_that_exists_twice() {
    for ids in [&[1, 2, 2, 3, 4][..], &[1, 1], &[1, 2, 3, 4, 4], &[1, 2, 3, 4, 5, 5, 5, 6]] {
        let db = TestDatabase::new();
        db.conn().batch_execute("create table t (id text not null, secret text); create index u on t (id)").unwrap();
        for id in ids {
            insert(&mut db.conn(), "id", &format!("'{id}'"), "x");
        }
        // The index becomes that of a primary key.
        edit(
            &db,
            "update sqlite_master set sql = 'create table t (id text not null primary key, secret text)' where name = 't';
             update sqlite_master set name = 'sqlite_autoindex_t_1', sql = null where name = 'u'",
        );
        let (refusal, text) = refused(&db);
        assert!(matches!(refusal, Refusal::Row { .. }), "{ids:?}: {text}");
        let repair = "delete from t where rowid not in (select min(rowid) from t group by +id); reindex t";
        db.conn().batch_execute(repair).unwrap();
        let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap());
        assert!(task.run(&db.pool(1)).unwrap().is_proven());
    }
}
