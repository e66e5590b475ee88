//! Prefect: a token is a JSON string in a column of JSON. Tokens move to a text column and back for a rotation.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::Task;
use diesel_encrypted::{Key, Keyring};
use serde_json::{Value, json};

use super::Database;
use crate::backend::{Conn, TEXT, TestDatabase};
use crate::suite::sql::bytes;
use crate::support::recordings::{Recording, Set};

fn set() -> Set {
    Recording::of("prefect-server").sets.remove(0)
}

/// The type of the column, and the statements of `docs/elsewhere.md` before and after the rotation.
fn recipe() -> (&'static str, String, String) {
    let documented = |number| super::documented("Prefect", number);
    match super::database() {
        Database::Postgres => ("json", documented(0), documented(2)),
        Database::Sqlite => ("json", documented(1), documented(3)),
        // Prefect does not run on it.
        Database::Mysql => (
            "json",
            format!(
                "alter table block_document add token {TEXT}; update block_document set token = json_unquote(data);"
            ),
            "update block_document set data = json_quote(token); alter table block_document drop token;".into(),
        ),
    }
}

/// The documents, read as the document says.
fn documents(conn: &mut Conn, keyring: &Keyring, rows: usize) -> Vec<Value> {
    let text = match super::database() {
        Database::Postgres => "convert_to(data::text, 'UTF8')",
        Database::Sqlite => "cast(data as blob)",
        Database::Mysql => "cast(data as binary)",
    };
    let read = |id: usize| {
        let data = bytes(conn, &format!("select {text} from block_document where id = {id}"));
        let data: Value = serde_json::from_slice(&data).unwrap();
        let value: Value =
            serde_json::from_slice(&keyring.decrypt(data.as_str().unwrap().as_bytes()).unwrap()).unwrap();
        json!({"id": id, "data": value})
    };
    (1..=rows).map(read).collect()
}

#[test]
fn documents_are_read_and_rotated() {
    let set = set();
    let (json, before, after) = recipe();
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "block_document", &format!("data {json}"), &set.rows);
    let old = Keyring::parse(&set.keyring()).unwrap();
    assert_eq!(documents(conn, &old, set.rows.len()), set.read());

    let new = Key::generate().to_text();
    let both = Arc::new(Keyring::parse(&format!("{}:{}", *new, set.keyring())).unwrap());
    // Elsewhere JSON is text, whose values do not look like tokens.
    if super::database() == Database::Postgres {
        let task = Task::new(Arc::clone(&both)).target("block_document.data".parse().unwrap());
        assert!(task.run(&db.pool(2)).unwrap_err().is_refused());
    }
    conn.batch_execute(&before).unwrap();
    let task = Task::new(both).target("block_document.token".parse().unwrap());
    assert!(task.run(&db.pool(2)).unwrap().old_keys_may_go());
    conn.batch_execute(&after).unwrap();
    assert_eq!(documents(conn, &Keyring::parse(&new).unwrap(), set.rows.len()), set.read());
}

#[test]
fn prefect_reads_what_this_crate_writes() {
    let Recording { returned, .. } = Recording::of("prefect-server");
    assert!(!returned["data"].is_empty());
    assert!(returned["data"].iter().all(|returned| returned.form == "text" && returned.refused.is_none()));
}
