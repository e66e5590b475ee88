//! Encrypted columns of every type that can hold tokens.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, Task};
use diesel_encrypted::{TableName, Target};

use super::sql::bytes;
use crate::backend::{
    BINARY_TYPES, BYTES_LITERAL, MAKE_TYPES, OTHER_TYPES, SELECT_BYTES, SELECT_TEXT, TEXT_TYPES, TestDatabase,
};
use crate::support::keys::keyring;

/// Creates a database with the types that the tests need.
fn database() -> TestDatabase {
    let db = TestDatabase::new();
    for sql in MAKE_TYPES {
        db.conn().batch_execute(sql).unwrap();
    }
    db
}

/// Rotates one token in a column of this type, and returns the new value as bytes.
fn rotated(db: &TestDatabase, sql_type: &str, literal: &str, select: &str) -> Vec<u8> {
    let mut conn = db.conn();
    conn.batch_execute("drop table if exists t").unwrap();
    conn.batch_execute(&format!("create table t (id int not null primary key, secret {sql_type})")).unwrap();
    conn.batch_execute(&format!("insert into t values (1, {literal}), (2, null)")).unwrap();
    let target = Target::named(TableName::new("t"), ["secret"]).unwrap();
    let report = Task::new(keyring([2, 1])).target(target).run(&db.pool(1)).unwrap();
    let column = &report.columns()[0];
    assert_eq!((report.outcome(), column.rewritten, column.null), (Outcome::Proven, 1, 1), "{sql_type}");
    bytes(&mut conn, &format!("select {select} from t where id = 1"))
}

#[test]
fn text() {
    let db = database();
    // The token has 100 characters.
    let token = keyring([1]).encrypt(b"fifteen bytes..");
    for sql_type in TEXT_TYPES {
        let after = rotated(&db, sql_type, &format!("'{token}'"), SELECT_TEXT);
        assert_eq!(keyring([2]).decrypt(&after).unwrap(), b"fifteen bytes..", "{sql_type}");
        assert!(after.is_ascii(), "{sql_type}");
    }
}

#[test]
fn bytes_in_either_form() {
    let db = database();
    let text = keyring([1]).encrypt(b"fifteen bytes..");
    let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE, &text).unwrap();
    for sql_type in BINARY_TYPES {
        for token in [text.as_bytes(), &raw] {
            let hex: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
            let after = rotated(&db, sql_type, &BYTES_LITERAL.replace("{}", &hex), SELECT_BYTES);
            assert_eq!(keyring([2]).decrypt(&after).unwrap(), b"fifteen bytes..", "{sql_type}");
            assert_eq!(after.len(), token.len(), "{sql_type}");
        }
    }
}

#[test]
fn other_types_are_refused() {
    let db = database();
    for sql_type in OTHER_TYPES.iter() {
        db.conn().batch_execute("drop table if exists t").unwrap();
        db.conn().batch_execute(&format!("create table t (id int not null primary key, secret {sql_type})")).unwrap();
        let target = Target::named(TableName::new("t"), ["secret"]).unwrap();
        let error = Task::new(keyring([2, 1])).target(target).run(&db.pool(1)).unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("which does not hold tokens"), "{sql_type}: {error}");
    }
}
