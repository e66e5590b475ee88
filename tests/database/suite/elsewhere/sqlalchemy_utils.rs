//! SQLAlchemy-Utils: the `FernetEngine`, in text and binary columns.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Json, Target};
use serde_json::{Value, json};

use super::{field, naive};
use crate::backend::{BYTES, Conn, TEXT, TestDatabase};
use crate::support::recordings::Recording;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    person (id) {
        id -> BigInt,
        name -> Nullable<EncryptedText>,
        note -> Nullable<EncryptedBinary>,
        age -> Nullable<EncryptedText>,
        score -> Nullable<EncryptedText>,
        active -> Nullable<EncryptedText>,
        born -> Nullable<EncryptedText>,
        seen -> Nullable<EncryptedText>,
        at -> Nullable<EncryptedText>,
        options -> Nullable<EncryptedText>,
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = person)]
struct Person {
    id: i64,
    name: Option<Encrypted<String>>,
    note: Option<Encrypted<String>>,
    age: Option<Encrypted<i32>>,
    score: Option<Encrypted<f64>>,
    active: Option<Encrypted<bool>>,
    born: Option<Encrypted<NaiveDate>>,
    seen: Option<Encrypted<NaiveDateTime>>,
    at: Option<Encrypted<NaiveTime>>,
    options: Option<Encrypted<Json<Value>>>,
}

fn columns() -> String {
    let texts = ["name", "age", "score", "active", "born", "seen", "at", "options"];
    texts.map(|name| format!("{name} {TEXT}, ")).concat() + &format!("note {BYTES}")
}

fn read(conn: &mut Conn) -> Vec<Value> {
    let people: Vec<_> = person::table.order(person::id).select(Person::as_select()).load(conn).unwrap();
    let show = |person: Person| {
        json!({
            "id": person.id,
            "name": field(person.name, Value::from),
            "note": field(person.note, Value::from),
            "age": field(person.age, Value::from),
            "score": field(person.score, Value::from),
            "active": field(person.active, Value::from),
            "born": field(person.born, |date| date.to_string().into()),
            "seen": field(person.seen, naive),
            "at": field(person.at, |time| time.format("%H:%M:%S%.3f").to_string().into()),
            "options": field(person.options, |json| json.0),
        })
    };
    people.into_iter().map(show).collect()
}

#[test]
fn reads_and_rotates() {
    for set in Recording::of("sqlalchemy-utils").sets {
        let target = Target::of(person::table).unwrap();
        super::reads_and_rotates_to_the_end(&set, "person", &columns(), target, read);
    }
}

#[test]
fn writes_what_sqlalchemy_utils_reads_and_as_bytes_with_the_documented_type_only() {
    let recording = Recording::of("sqlalchemy-utils");
    let set = &recording.sets[0];
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    super::create(conn, "person", &columns(), &[]);
    let seen = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap().and_hms_milli_opt(15, 49, 38, 500).unwrap();
    let row = Person {
        id: 1,
        name: Some("Zoë".to_owned().into()),
        note: Some("Zoë".to_owned().into()),
        age: Some((-7).into()),
        score: Some(0.1.into()),
        active: Some(true.into()),
        born: NaiveDate::from_ymd_opt(1815, 12, 10).map(Encrypted::from),
        seen: Some(seen.into()),
        at: Some(seen.time().into()),
        options: Some(Json(json!({"port": 465, "tags": ["ä", null]})).into()),
    };
    super::scope(&set.keyring(), || diesel::insert_into(person::table).values(row).execute(conn).unwrap());
    super::writes_what_the_original_was_asked_to_read(&recording, set, conn, "person");
    for returned in recording.returned.values().flatten() {
        let is_bytes = returned.form == "bytes";
        assert_eq!((returned.refused.is_some(), returned.documented.is_some()), (is_bytes, is_bytes), "{returned:?}");
    }
}
