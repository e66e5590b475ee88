//! django-fernet-encrypted-fields: tokens in text columns. Their plaintext is the output of Python's `str`.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Target};
use serde_json::{Value, json};

use super::{field, utc};
use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::recordings::Recording;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    person (id) {
        id -> BigInt,
        name -> Nullable<EncryptedText>,
        email -> Nullable<EncryptedText>,
        note -> Nullable<EncryptedText>,
        age -> Nullable<EncryptedText>,
        score -> Nullable<EncryptedText>,
        active -> Nullable<EncryptedText>,
        born -> Nullable<EncryptedText>,
        seen -> Nullable<EncryptedText>,
    }
}

#[derive(Queryable, Selectable, Insertable, Default)]
#[diesel(table_name = person)]
struct Person {
    id: i64,
    name: Option<Encrypted<String>>,
    email: Option<Encrypted<String>>,
    note: Option<Encrypted<String>>,
    age: Option<Encrypted<i32>>,
    score: Option<Encrypted<f64>>,
    active: Option<Encrypted<bool>>,
    born: Option<Encrypted<NaiveDate>>,
    seen: Option<Encrypted<DateTime<Utc>>>,
}

fn columns() -> String {
    let names = ["name", "email", "note", "age", "score", "active", "born", "seen"];
    names.map(|name| format!("{name} {TEXT}")).join(", ")
}

fn read(conn: &mut Conn) -> Vec<Value> {
    let people: Vec<_> = person::table.order(person::id).select(Person::as_select()).load(conn).unwrap();
    let show = |person: Person| {
        json!({
            "id": person.id,
            "name": field(person.name, Value::from),
            "email": field(person.email, Value::from),
            "note": field(person.note, Value::from),
            "age": field(person.age, Value::from),
            "score": field(person.score, Value::from),
            "active": field(person.active, Value::from),
            "born": field(person.born, |date| date.to_string().into()),
            "seen": field(person.seen, utc),
        })
    };
    people.into_iter().map(show).collect()
}

#[test]
fn reads_and_rotates() {
    for set in Recording::of("django-fernet-encrypted-fields").sets {
        let target = Target::of(person::table).unwrap();
        super::reads_and_rotates_to_the_end(&set, "person", &columns(), target, read);
    }
}

#[test]
fn writes_what_django_reads_except_booleans() {
    let recording = Recording::of("django-fernet-encrypted-fields");
    let set = &recording.sets[0];
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "person", &columns(), &[]);
    let seen = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap().and_hms_milli_opt(15, 49, 38, 500).unwrap();
    let row = Person {
        id: 1,
        note: Some("Zoë".to_owned().into()),
        age: Some((-7).into()),
        score: Some(0.1.into()),
        active: Some(true.into()),
        born: NaiveDate::from_ymd_opt(1815, 12, 10).map(Encrypted::from),
        seen: Some(seen.and_utc().into()),
        ..Person::default()
    };
    super::scope(&set.keyring(), || diesel::insert_into(person::table).values(row).execute(conn).unwrap());
    super::writes_what_the_original_was_asked_to_read(&recording, set, conn, "person");
    for (column, returned) in &recording.returned {
        assert!(returned.iter().all(|returned| returned.refused.is_some() == (column == "active")), "{column}");
    }
}
