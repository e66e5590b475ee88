//! Row keys of MySQL and MariaDB only.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Refusal, Task};

use crate::backend::{TestDatabase, is_mariadb};
use crate::suite::row_keys::{insert, refused, rotate, rotate_all};
use crate::support::keys::keyring;

/// MySQL refuses such a text. MariaDB accepts it.
#[test]
fn bytes_that_are_no_character() {
    if !is_mariadb() {
        return;
    }
    let db = TestDatabase::new();
    for (what, values) in [
        ("ascii collate ascii_bin", ["x'61'", "x'e9'", "x'ff62'", "x'80'"]),
        ("ascii", ["x'61'", "x'e9'", "x'42'", "x'63'"]),
        ("latin1 collate latin1_bin", ["x'81'", "x'8d'", "x'90'", "x'e9'"]),
        ("hebrew collate hebrew_bin", ["x'61'", "x'ff'", "x'db'", "x'bf'"]),
    ] {
        let table = format!("create or replace table t (id varchar(5) character set {what} primary key, secret text)");
        db.conn().batch_execute(&table).unwrap();
        rotate_all(&db, what, &values);
    }
}

#[test]
fn dates_that_do_not_exist() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute("set sql_mode = 'ALLOW_INVALID_DATES'; create table t (id date primary key, secret text)")
        .unwrap();
    let dates = ["0000-00-00", "2023-02-31", "2024-00-10", "2024-02-30", "2024-02-31", "2024-03-01"];
    for date in dates {
        insert(&mut conn, "id", &format!("'{date}'"), date);
    }
    rotate(&db, "dates", &dates.map(str::to_owned));
}

#[test]
fn two_columns_in_two_character_sets() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create table t (a varchar(9) character set cp1251 not null, b int not null,
                         c varchar(9) character set cp932 not null, secret text, primary key (a, b, c))",
    )
    .unwrap();
    let keys = ["x'c0', 1, x'8754'", "x'c0', 1, x'fa54'", "x'c0', 2, x'61'", "x'98', 1, x'61'", "x'41', 5, x'eefc'"];
    for (number, key) in keys.iter().enumerate() {
        insert(&mut conn, "a, b, c", key, &number.to_string());
    }
    rotate(&db, "two character sets", &["0", "1", "2", "3", "4"].map(str::to_owned));
}

#[test]
fn columns_that_cannot_be_in_a_row_key_are_named() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    for sql_type in ["enum('b','a')", "set('b','a')", "bit(8)", "float", "double"] {
        conn.batch_execute("drop table if exists t").unwrap();
        let table =
            format!("create table t (n int not null, id {sql_type} not null, secret text, primary key (n, id))");
        conn.batch_execute(&table).unwrap();
        let (_, text) = refused(&db);
        let named = format!("its primary key contains the column id of the type {sql_type}");
        assert!(text.contains(&named), "{text}");
    }
    conn.batch_execute("drop table t; create table t (id int, secret text, unique (id))").unwrap();
    let (_, text) = refused(&db);
    assert!(text.contains("the column id in its unique index id may be NULL"), "{text}");
}

/// Its index has no order, and a sort would need a buffer for the longest text.
#[test]
fn a_long_text_is_no_row_key() {
    if !is_mariadb() {
        return;
    }
    let db = TestDatabase::new();
    for sql_type in ["longtext", "mediumblob", "json"] {
        let table = format!("create or replace table t (id {sql_type} not null, secret text, unique (id))");
        db.conn().batch_execute(&table).unwrap();
        assert!(matches!(refused(&db), (Refusal::NoRowKey { unusable: Some(_), .. }, _)), "{sql_type}");
    }
}

#[test]
fn an_index_that_the_optimizer_ignores_is_no_row_key() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let (ignored, visible) = if is_mariadb() { ("ignored", "not ignored") } else { ("invisible", "visible") };
    let table = "create table t (f float primary key, id int not null, secret text)";
    conn.batch_execute(&format!("{table}; alter table t add unique u (id) {ignored}")).unwrap();
    let keys = ["1.5, 1", "2.5, 2", "3.5, 3"];
    for key in keys {
        insert(&mut conn, "f, id", key, key);
    }
    let (_, text) = refused(&db);
    assert!(text.contains("its primary key contains the column f of the type float"), "{text}");
    conn.batch_execute(&format!("alter table t alter index u {visible}")).unwrap();
    rotate(&db, "visible", &keys.map(str::to_owned));
}

#[test]
fn labels_show_the_text_where_the_bytes_do() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    for (charset, key, label) in [
        ("utf8mb4", "'é'", "id=é"),
        ("latin1", "'bob'", "id=bob"),
        ("latin1", "'é'", "id=0xe9"),
        ("utf16", "'a'", "id=0x0061"),
    ] {
        conn.batch_execute("drop table if exists t").unwrap();
        let table = format!("create table t (id varchar(5) character set {charset} primary key, secret text)");
        conn.batch_execute(&format!("{table}; insert into t values ({key}, 'plaintext')")).unwrap();
        let report = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&db.pool(1)).unwrap();
        assert_eq!(report.problems()[0].row, label, "{charset}");
    }
}
