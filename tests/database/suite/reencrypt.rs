//! The re-encrypt task.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Outcome, Task};
use diesel_encrypted::{Encrypted, Target};

use super::super::support::{BYTES, TEXT, TestDatabase};
use crate::common::keyring;

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    people (id) {
        id -> BigInt,
        name -> Text,
        email -> EncryptedText,
        phone -> Nullable<EncryptedText>,
        photo -> Nullable<EncryptedBinary>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = people)]
struct Person {
    id: i64,
    name: String,
    email: Encrypted<String>,
    phone: Option<Encrypted<i64>>,
    photo: Option<Encrypted<Vec<u8>>>,
}

fn person(id: i64) -> Person {
    Person {
        id,
        name: format!("name {id}"),
        email: Encrypted::from(format!("{id}@example.org")),
        phone: (id % 3 > 0).then(|| Encrypted::from(id * 1000)),
        photo: (id % 2 > 0).then(|| Encrypted::from(vec![0, 255, id as u8])),
    }
}

fn create(db: &TestDatabase) {
    let sql = format!(
        "create table people (id bigint primary key, name {TEXT} not null, email {TEXT} not null, phone {TEXT}, photo {BYTES})"
    );
    db.conn().batch_execute(&sql).unwrap();
}

/// Rows `1..=count`, written under the key with this number.
fn fill(db: &TestDatabase, key: u8, ids: std::ops::RangeInclusive<i64>) {
    let people: Vec<Person> = ids.map(person).collect();
    keyring([key]).scope(|| {
        for people in people.chunks(500) {
            diesel::insert_into(people::table).values(people).execute(&mut db.conn()).unwrap();
        }
    });
}

fn all(db: &TestDatabase, keys: impl IntoIterator<Item = u8>) -> Vec<Person> {
    keyring(keys).scope(|| people::table.order(people::id).select(Person::as_select()).load(&mut db.conn()).unwrap())
}

#[test]
fn a_rotation_from_end_to_end() {
    let db = TestDatabase::new();
    create(&db);
    fill(&db, 1, 1..=2500);
    let before = all(&db, [1]);

    let task = || Task::new(keyring([2, 1])).target(Target::of(people::table).unwrap());
    let report = task().workers(2).run(&db.pool(2)).unwrap();
    assert_eq!(report.outcome(), Outcome::Proven);
    assert_eq!(report.problems(), []);
    let table = format!("{}people", db.schema());
    let count = |name: &str| {
        let column = report.columns().iter().find(|column| column.column == name && column.table == table).unwrap();
        (column.scanned, column.rewritten, column.current, column.null, column.raced, column.busy, column.bad)
    };
    assert_eq!(count("email"), (2500, 2500, 2500, 0, 0, 0, 0));
    assert_eq!(count("phone"), (2500, 1667, 1667, 833, 0, 0, 0));
    assert_eq!(count("photo"), (2500, 1250, 1250, 1250, 0, 0, 0));

    assert_eq!(all(&db, [2]), before);
    let again = task().run(&db.pool(1)).unwrap();
    assert_eq!((again.outcome(), again.passes()), (Outcome::Proven, 1));
    assert!(again.columns().iter().all(|column| column.rewritten == 0));
}
