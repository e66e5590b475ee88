//! OpenStack Keystone: tokens in a text column, and beside each the SHA-1 of the key under which it is.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::Task;
use diesel_encrypted::{Encrypted, Key, Keyring, Target};
use serde_json::{Value, json};

use super::Database;
use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::recordings::{Recording, Set};

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    credential (id) {
        id -> BigInt,
        encrypted_blob -> EncryptedText,
        key_hash -> Text,
    }
}

fn set() -> Set {
    Recording::of("openstack-keystone").sets.remove(0)
}

fn columns() -> String {
    format!("encrypted_blob {TEXT} not null, key_hash varchar(64) not null")
}

fn credentials(conn: &mut Conn) -> Vec<Value> {
    let rows: Vec<(i64, Encrypted<String>, String)> = credential::table.order(credential::id).load(conn).unwrap();
    let show = |(id, blob, key_hash): (_, Encrypted<String>, String)| json!({"id": id, "encrypted_blob": *blob, "key_hash": key_hash});
    rows.into_iter().map(show).collect()
}

/// The folder of keys, as Keystone reads it.
fn folder(set: &Set) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, key) in set.settings["key_repository"].as_object().unwrap() {
        std::fs::write(folder.path().join(number), key.as_str().unwrap()).unwrap();
    }
    folder
}

#[test]
fn the_folder_of_keys_is_read_as_keystone_reads_it() {
    let set = set();
    assert_eq!(Keyring::from_folder(folder(&set).path()).unwrap(), Keyring::parse(&set.keyring()).unwrap());
}

#[test]
fn credentials_are_read_and_rotated() {
    let target = Target::of(credential::table).unwrap();
    super::reads_and_rotates_to_the_end(&set(), "credential", &columns(), target, credentials);
}

/// The trigger of the document changes the hash in the statement that changes the token, and in no other.
#[test]
fn the_documented_trigger_keeps_the_hash_beside_its_token() {
    let set = set();
    let keys = folder(&set);
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "credential", &columns(), &set.rows);
    // As `keystone-manage credential_rotate` does: the staged key becomes the primary key.
    std::fs::rename(keys.path().join("0"), keys.path().join("3")).unwrap();
    std::fs::write(keys.path().join("0"), &*Key::generate().to_text()).unwrap();
    let keyring = Keyring::from_folder(keys.path()).unwrap();
    let new_hash = "bb2b5ab7ac4b9b0fc1ab8c1d4a3c5d8f0a1b2c3d";
    conn.batch_execute(&trigger().replace("HASH", new_hash)).unwrap();

    let refused = Task::new(Keyring::from_folder(keys.path()).unwrap()).target(Target::of(credential::table).unwrap());
    let refused = refused.run(&db.pool(2)).unwrap_err();
    assert!(refused.is_refused(), "{refused}");
    assert!(credential::table.filter(credential::key_hash.eq(new_hash)).count().get_result(conn) == Ok(0));

    let task = Task::new(keyring).target(Target::of(credential::table).unwrap()).accept_triggers(true);
    assert!(task.run(&db.pool(2)).unwrap().old_keys_may_go());
    let others = credential::table.filter(credential::key_hash.ne(new_hash)).count().get_result(conn);
    assert_eq!(others, Ok(0));
    // A statement that changes something else leaves it unchanged.
    conn.batch_execute("update credential set key_hash = 'x' where id = 1").unwrap();
    let hash = credential::table.find(1).select(credential::key_hash).first::<String>(conn);
    assert_eq!(hash.as_deref(), Ok("x"));
}

#[test]
fn writes_what_keystone_reads() {
    let (recording, set) = (Recording::of("openstack-keystone"), set());
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "credential", &columns(), &[]);
    super::scope(&set.keyring(), || {
        let blob = Encrypted::from(r#"{"access":"b","secret":"Zoë"}"#.to_owned());
        let row = (credential::id.eq(1), credential::encrypted_blob.eq(blob), credential::key_hash.eq("x"));
        diesel::insert_into(credential::table).values(row).execute(conn).unwrap();
    });
    super::writes_what_the_original_was_asked_to_read(&recording, &set, conn, "credential");
}

/// The trigger of `docs/elsewhere.md`, in the SQL of this database.
fn trigger() -> String {
    match super::database() {
        Database::Mysql => super::documented("OpenStack Keystone", 0),
        Database::Postgres => super::documented("OpenStack Keystone", 1),
        Database::Sqlite => "create trigger credential_key_hash after update of encrypted_blob on credential \
             when new.key_hash = old.key_hash \
             begin update credential set key_hash = 'HASH' where id = new.id; end"
            .into(),
    }
}
