//! The steps of Pinakes' security document, with its setting and its commands, on values that Pinakes wrote: encrypted
//! JSON in a text column.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Json, Keyring};

use crate::backend::{TEXT, TestDatabase};
use crate::support::python;
use crate::support::runner::Program;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    main_catalog (id) {
        id -> Integer,
        service_options -> EncryptedText,
    }
}

/// The plaintext of the tokens.
type Options = Json<BTreeMap<String, Option<String>>>;

fn options(id: i32) -> Options {
    let password = format!("password of {id}, žluťoučký");
    Json(BTreeMap::from([("password".into(), Some(password)), ("proxy".into(), None)]))
}

/// Formats JSON as Python's `json.dumps` does: blanks after separators, escapes for non-ASCII characters.
fn as_python_writes_it(id: i32) -> String {
    format!("{{\"password\": \"password of {id}, \\u017elu\\u0165ou\\u010dk\\u00fd\", \"proxy\": null}}")
}

fn generate_encryption_key() -> String {
    Program::new(["generate_encryption_key"]).exits_with(0).stdout.trim_end().to_owned()
}

fn all(db: &TestDatabase, keys: &str) -> Vec<(i32, Encrypted<Options>)> {
    Arc::new(Keyring::parse(keys).unwrap())
        .scope(|| main_catalog::table.order(main_catalog::id).load(&mut db.conn()).unwrap())
}

#[test]
fn the_steps_of_the_pinakes_document() {
    let db = TestDatabase::new();
    let sql = format!("create table main_catalog (id integer not null primary key, service_options {TEXT} not null)");
    db.conn().batch_execute(&sql).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    let declaration = "diesel::table! { main_catalog (id) { id -> Int4, service_options -> EncryptedText, } }";
    crate::support::runner::write(&schema, declaration);
    let program = |command: &str, keys: &str| {
        let program = Program::new([command, "--schema"]).arg(&schema).database(&db.url());
        program.set("PINAKES_DB_ENCRYPTION_KEYS", keys).secrets(["password of"])
    };

    // "Generating encryption key": the application then fills its database.
    let old = generate_encryption_key();
    let plaintexts: Vec<String> = (1..=1500).map(as_python_writes_it).collect();
    let values: Vec<_> = plaintexts.iter().map(|text| (old.as_str(), 1_600_000_000, text.as_bytes())).collect();
    let tokens = python::seal(&values);
    let rows: Vec<_> = tokens.iter().zip(1..).map(|(token, id)| format!("({id}, '{token}')")).collect();
    db.conn().batch_execute(&format!("insert into main_catalog values {}", rows.join(", "))).unwrap();
    let expected: Vec<_> = (1..=1500).map(|id| (id, Encrypted::from(options(id)))).collect();
    assert_eq!(all(&db, &old), expected);
    program("status", &old).exits_with(0);

    // "Rotating encryption key": the new key comes first. New data is encrypted with it, and existing data is still
    // readable.
    let new = generate_encryption_key();
    let both = format!("{new}:{old}");
    Arc::new(Keyring::parse(&both).unwrap()).scope(|| {
        let row = (main_catalog::id.eq(1501), main_catalog::service_options.eq(Encrypted::from(options(1501))));
        diesel::insert_into(main_catalog::table).values(row).execute(&mut db.conn()).unwrap();
    });
    program("status", &both).exits_with(3);

    // "Re-encrypting the database": "Now any secondary encryption keys may be deleted."
    program("reencrypt_database", &both).exits_with(0);
    program("status", &new).exits_with(0);
    let expected: Vec<_> = (1..=1501).map(|id| (id, Encrypted::from(options(id)))).collect();
    assert_eq!(all(&db, &new), expected);
    program("reencrypt_database", &old).exits_with(5);
}
