//! The task reads tables with row keys of every type completely, in pages of any size.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, Refusal, Task};
use diesel_encrypted::{TableName, Target};

use super::sql::texts;
use crate::backend::{Conn, ROW_KEYS, TEXT, TestDatabase};
use crate::support::keys::keyring;

/// Fills the column `id` of the table `t`, and re-encrypts the table.
pub fn rotate_all(db: &TestDatabase, what: &str, values: &[&str]) {
    let mut conn = db.conn();
    let mut plaintexts = Vec::new();
    for (index, value) in values.iter().enumerate() {
        insert(&mut conn, "id", value, &format!("{index:02}"));
        plaintexts.push(format!("{index:02}"));
    }
    rotate(db, what, &plaintexts);
}

/// The refusal to re-encrypt the table `t`, and its text. Nothing was written.
#[allow(dead_code)] // Every database has cases of its own.
pub fn refused(db: &TestDatabase) -> (Refusal, String) {
    let before = texts(&mut db.conn(), "select secret from t");
    let target = Target::named(TableName::new("t"), ["secret"]).unwrap();
    let error = Task::new(keyring([2, 1])).target(target).batch_size(2).run(&db.pool(1)).unwrap_err();
    assert_eq!(texts(&mut db.conn(), "select secret from t"), before);
    let refusal = error.refusal().unwrap_or_else(|| panic!("{error}"));
    (refusal.clone(), error.to_string())
}

/// Re-encrypts the table `t` in pages of two rows. It must read every value, write it once and keep its plaintext.
pub fn rotate(db: &TestDatabase, what: &str, plaintexts: &[String]) {
    let target = Target::named(TableName::new("t"), ["secret"]).unwrap();
    let report = Task::new(keyring([2, 1])).target(target).batch_size(2).run(&db.pool(1)).unwrap();
    assert_eq!(report.outcome(), Outcome::Proven, "{what}");
    let column = &report.columns()[0];
    let count = plaintexts.len() as u64;
    assert_eq!((column.scanned, column.rewritten, column.raced), (count, count, 0), "{what}");
    let tokens = texts(&mut db.conn(), "select secret from t");
    let new = keyring([2]);
    let open = |token: &String| String::from_utf8(new.decrypt(token.as_bytes()).unwrap()).unwrap();
    let mut found: Vec<String> = tokens.iter().map(open).collect();
    found.sort();
    assert_eq!(found, plaintexts, "{what}");
}

pub fn insert(conn: &mut Conn, columns: &str, key: &str, plaintext: &str) {
    let token = keyring([1]).encrypt(plaintext.as_bytes());
    conn.batch_execute(&format!("insert into t ({columns}, secret) values ({key}, '{token}')")).unwrap();
}

#[test]
fn of_every_type() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    for (sql_type, values) in ROW_KEYS.iter() {
        conn.batch_execute("drop table if exists t").unwrap();
        conn.batch_execute(&format!("create table t (id {sql_type} primary key, secret {TEXT} not null)")).unwrap();
        rotate_all(&db, sql_type, values);
    }
}

#[test]
fn of_two_and_three_columns() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let varchar = "varchar(10)";
    let sql = format!(
        "create table t (a bigint not null, b {varchar} not null, c int not null, secret {TEXT}, primary key (b, a, c))"
    );
    conn.batch_execute(&sql).unwrap();
    let mut plaintexts = Vec::new();
    for a in [1, 9, 10] {
        for b in ["x", "y"] {
            for c in [-1, 0, 2] {
                let plaintext = format!("{a} {b} {c}");
                insert(&mut conn, "a, b, c", &format!("{a}, '{b}', {c}"), &plaintext);
                plaintexts.push(plaintext);
            }
        }
    }
    plaintexts.sort();
    rotate(&db, "three columns", &plaintexts);
}

#[test]
fn a_unique_index_where_there_is_no_primary_key() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(&format!("create table t (a int, b int not null, secret {TEXT})")).unwrap();
    // This key is not usable: pages would skip rows with a NULL in `a`.
    conn.batch_execute("create unique index nullable on t (a)").unwrap();
    conn.batch_execute("create unique index usable on t (b)").unwrap();
    for b in 1..=5 {
        insert(&mut conn, "b", &b.to_string(), &b.to_string());
    }
    rotate(&db, "unique index", &["1", "2", "3", "4", "5"].map(str::to_owned));
}

#[test]
fn names_that_need_quotes() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let quote = crate::backend::QUOTE;
    let name = |name: &str| format!("{quote}{name}{quote}");
    let (table, key, secret) = (name("odd. table"), name("Sel ect"), name("E'Mail"));
    conn.batch_execute(&format!("create table {table} ({key} int not null primary key, {secret} {TEXT})")).unwrap();
    let token = keyring([1]).encrypt(b"x");
    conn.batch_execute(&format!("insert into {table} values (1, '{token}')")).unwrap();
    let target: Target = "\"odd. table\".E'Mail".parse().unwrap();
    let report = Task::new(keyring([2, 1])).target(target).run(&db.pool(1)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 1));
}
