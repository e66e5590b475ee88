//! Encryption by means of a new column, while processes of the application write: expand, write both, backfill,
//! encrypt, compare, guard, contract.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::guard::{self, Way};
use diesel_encrypted::reencrypt::{Job, Outcome, Task};
use diesel_encrypted::{Adopting, Encrypted, TableName, Target};

use super::races::EndOnDrop;
use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;

const ROWS: i64 = 500;
/// The number of rows that one statement of the backfill copies.
const BATCH: i64 = 50;

diesel::table! {
    contact (id) {
        id -> BigInt,
        email -> Text,
        email_encrypted -> Nullable<Text>,
    }
}

/// The model between expansion and contraction. It writes both columns and reads the old one.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = contact)]
struct Both {
    id: i64,
    email: String,
    email_encrypted: Option<Adopting<String>>,
}

impl Both {
    fn new(id: i64, email: String) -> Self {
        Self { id, email_encrypted: Some(email.clone().into()), email }
    }
}

fn expanded() -> TestDatabase {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute(&format!("create table contact (id bigint not null primary key, email {TEXT} not null)"))
        .unwrap();
    for id in 1..=ROWS {
        conn.batch_execute(&format!("insert into contact values ({id}, 'contact {id}')")).unwrap();
    }
    conn.batch_execute(&format!("alter table contact add column email_encrypted {TEXT}")).unwrap();
    db
}

/// Copies the plaintext of rows in which nobody has written both columns yet.
fn backfill(db: &TestDatabase) {
    for first in (1..=ROWS).step_by(BATCH as usize) {
        let sql = format!(
            "update contact set email_encrypted = email
             where email_encrypted is null and id >= {first} and id < {}",
            first + BATCH
        );
        patiently(db, |conn| conn.batch_execute(&sql));
    }
}

/// Returns the rows whose two columns differ, as the later model reads them.
fn different(db: &TestDatabase) -> Vec<i64> {
    type Row = (i64, String, Option<Encrypted<String>>);
    let rows: Vec<Row> = keyring([1]).scope(|| contact::table.order(contact::id).load(&mut db.conn()).unwrap());
    assert!(rows.len() > ROWS as usize / 2);
    let is_different = |(_, old, new): &Row| new.as_deref() != Some(old);
    rows.iter().filter(|row| is_different(row)).map(|row| row.0).collect()
}

/// Retries until it succeeds, each time on a new connection. A lock or a change of the table may interfere.
fn patiently(db: &TestDatabase, work: impl Fn(&mut Conn) -> QueryResult<()>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = work(&mut db.conn()) {
        assert!(Instant::now() < deadline, "{error}");
    }
}

/// A process of the application. It writes both columns of its own rows and of others until the end.
fn write(db: &TestDatabase, number: i64, is_over: &AtomicBool) {
    for operation in 0.. {
        if is_over.load(Relaxed) {
            break;
        }
        let id = (operation * 37 + number * 11) % (ROWS + 20) + 1;
        let row = Both::new(id, format!("instance {number}, operation {operation}"));
        patiently(db, |conn| {
            keyring([1]).scope(|| {
                if operation % 7 == 0 {
                    return diesel::delete(contact::table.find(id)).execute(conn).map(drop);
                }
                match diesel::update(contact::table.find(id)).set(&row).execute(conn)? {
                    0 => diesel::insert_into(contact::table).values(&row).execute(conn).map(drop),
                    _ => Ok(()),
                }
            })
        });
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_new_column_takes_over_while_the_application_writes() {
    let began = SystemTime::now();
    let db = expanded();
    let target = || Target::named(TableName::new("contact"), ["email_encrypted"]).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = EndOnDrop(&is_over);
        for number in 1..=2 {
            let (db, is_over) = (&db, &is_over);
            threads.spawn(move || write(db, number, is_over));
        }
        backfill(&db);
        let task = Task::new(keyring([1])).job(Job::Encrypt).accept_tokens_since(began).target(target());
        let report = task.run(&db.pool(2)).unwrap();
        assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, &[][..]));
        // This is the first comparison. It comes before the application relies on the copies.
        assert_eq!(different(&db), [0; 0]);
        let migrations = guard::migrations(&mut db.conn(), &[target()], Way::Check).unwrap();
        for migration in migrations {
            patiently(&db, |conn| match migration.in_transaction {
                true => conn.transaction(|conn| conn.batch_execute(&migration.up)),
                false => conn.batch_execute(&migration.up),
            });
        }
    });
    assert_eq!(different(&db), [0; 0]);
    let conn = &mut db.conn();
    assert!(guard::of(conn, &TableName::new("contact"), "email_encrypted").unwrap().is_some());
    conn.batch_execute("alter table contact drop column email").unwrap();
    let rows: Vec<(i64, Encrypted<String>)> = keyring([1]).scope(|| {
        let columns = (contact::id, contact::email_encrypted.assume_not_null());
        contact::table.select(columns).load(conn).unwrap()
    });
    assert!(rows.iter().all(|(_, email)| email.starts_with("contact ") || email.starts_with("instance ")));
}

/// A forgotten process writes the old column only. The comparison shows it.
#[test]
fn a_process_that_writes_the_old_column_only_is_noticed() {
    let db = expanded();
    backfill(&db);
    db.conn().batch_execute("update contact set email = 'forgotten' where id = 7").unwrap();
    let task = Task::new(keyring([1])).job(Job::Encrypt).accept_tokens();
    let task = task.target(Target::named(TableName::new("contact"), ["email_encrypted"]).unwrap());
    assert!(task.run(&db.pool(1)).unwrap().is_proven());
    assert_eq!(different(&db), [7]);
}
