//! django-fernet-fields: tokens in text form, in binary columns.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel_encrypted::{Encrypted, Target};
use serde_json::{Value, json};

use super::{field, naive, utc};
use crate::backend::{BYTES, Conn, TestDatabase};
use crate::support::recordings::Recording;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    person (id) {
        id -> BigInt,
        name -> Nullable<EncryptedBinary>,
        email -> Nullable<EncryptedBinary>,
        note -> Nullable<EncryptedBinary>,
        age -> Nullable<EncryptedBinary>,
        born -> Nullable<EncryptedBinary>,
        seen -> Nullable<EncryptedBinary>,
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
    born: Option<Encrypted<NaiveDate>>,
}

/// The field `seen` as Django writes it on MySQL and SQLite, and on PostgreSQL.
type Naive = Option<Encrypted<NaiveDateTime>>;
type Aware = Option<Encrypted<DateTime<Utc>>>;

fn columns() -> String {
    ["name", "email", "note", "age", "born", "seen"].map(|name| format!("{name} {BYTES}")).join(", ")
}

fn show(person: Person, seen: Value) -> Value {
    json!({
        "id": person.id,
        "name": field(person.name, Value::from),
        "email": field(person.email, Value::from),
        "note": field(person.note, Value::from),
        "age": field(person.age, Value::from),
        "born": field(person.born, |date| date.to_string().into()),
        "seen": seen,
    })
}

fn read(conn: &mut Conn) -> Vec<Value> {
    let people = person::table.order(person::id).select((Person::as_select(), person::seen));
    let people: Vec<(Person, Naive)> = people.load(conn).unwrap();
    people.into_iter().map(|(person, seen)| show(person, field(seen, naive))).collect()
}

fn read_as_written_to_postgresql(conn: &mut Conn) -> Vec<Value> {
    let people = person::table.order(person::id).select((Person::as_select(), person::seen));
    let people: Vec<(Person, Aware)> = people.load(conn).unwrap();
    people.into_iter().map(|(person, seen)| show(person, field(seen, utc))).collect()
}

#[test]
fn reads_and_rotates() {
    for set in Recording::of("django-fernet-fields").sets {
        let read = if set.database.is_some() { read_as_written_to_postgresql } else { read };
        let target = Target::of(person::table).unwrap();
        super::reads_and_rotates_to_the_end(&set, "person", &columns(), target, read);
    }
}

#[test]
fn writes_tokens_as_bytes_which_django_reads_with_the_documented_field_only() {
    let recording = Recording::of("django-fernet-fields");
    let set = &recording.sets[0];
    for seen_on_postgresql in [false, true] {
        let db = TestDatabase::new();
        let conn = &mut db.conn();
        super::create(conn, "person", &columns(), &[]);
        let born = NaiveDate::from_ymd_opt(1815, 12, 10).map(Encrypted::from);
        let seen = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap().and_hms_milli_opt(15, 49, 38, 500).unwrap();
        let note = Some(Encrypted::from("Zoë".to_owned()));
        let row = Person { id: 1, note, age: Some((-7).into()), born, ..Person::default() };
        super::scope(&set.keyring(), || {
            diesel::insert_into(person::table).values(row).execute(conn).unwrap();
            match seen_on_postgresql {
                true => {
                    diesel::update(person::table).set(person::seen.eq(Encrypted::from(seen.and_utc()))).execute(conn)
                }
                false => diesel::update(person::table).set(person::seen.eq(Encrypted::from(seen))).execute(conn),
            }
            .unwrap();
        });
        super::writes_what_the_original_was_asked_to_read(&recording, set, conn, "person");
    }
    for returned in recording.returned.values().flatten() {
        assert_eq!(returned.refused.as_deref(), Some("InvalidToken"), "{returned:?}");
        assert!(returned.documented.is_some(), "{returned:?}");
    }
}
