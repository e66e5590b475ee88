//! OpenStack Barbican: the keys of projects are tokens in a text column. Secrets are base64 of tokens under these keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Keyring, Target};
use serde_json::{Value, json};

use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::recordings::{Recording, Set};

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    kek_data (id) {
        id -> BigInt,
        plugin_meta -> Nullable<EncryptedText>,
    }
}

fn set(table: &str) -> Set {
    let is_it = |set: &Set| set.table.as_deref() == Some(table);
    Recording::of("openstack-barbican").sets.into_iter().find(is_it).unwrap()
}

fn columns() -> String {
    format!("plugin_meta {TEXT}")
}

fn keys(conn: &mut Conn) -> Vec<(i64, Option<Encrypted<String>>)> {
    kek_data::table.order(kek_data::id).load(conn).unwrap()
}

fn shown(conn: &mut Conn) -> Vec<Value> {
    let show = |(id, key)| json!({"id": id, "plugin_meta": super::field(key, Value::String)});
    keys(conn).into_iter().map(show).collect()
}

#[test]
fn keys_of_projects_are_read_and_rotated() {
    let target = Target::of(kek_data::table).unwrap();
    super::reads_and_rotates_to_the_end(&set("kek_data"), "kek_data", &columns(), target, shown);
}

#[test]
fn secrets_are_read_with_the_key_of_their_project() {
    let (keks, secrets) = (set("kek_data"), set("encrypted_data"));
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "kek_data", &columns(), &keks.rows);
    let keys = super::scope(&keks.keyring(), || keys(conn));
    assert!(!secrets.rows.is_empty());
    for row in &secrets.rows {
        let (_, key) = keys.iter().find(|(id, _)| row.read["kek_id"] == *id).unwrap();
        let token = STANDARD.decode(row.stored["cypher_text"].text()).unwrap();
        let secret = Keyring::parse(key.as_ref().unwrap()).unwrap().decrypt(&token).unwrap();
        assert_eq!(row.read["cypher_text"], String::from_utf8(secret).unwrap());
    }
}

#[test]
fn writes_what_barbican_reads() {
    let (recording, set) = (Recording::of("openstack-barbican"), set("kek_data"));
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "kek_data", &columns(), &[]);
    let key = recording.returned["plugin_meta"][0].plaintext.clone();
    super::scope(&set.keyring(), || {
        let row = (kek_data::id.eq(1), kek_data::plugin_meta.eq(Encrypted::from(key)));
        diesel::insert_into(kek_data::table).values(row).execute(conn).unwrap();
    });
    super::writes_what_the_original_was_asked_to_read(&recording, &set, conn, "kek_data");
}
