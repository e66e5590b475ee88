//! Known traps for tasks of this kind, with one test each. The other traps are tested with their subject: row keys,
//! column types, triggers, refusals, server failures.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_encrypted::reencrypt::{Doubt, Job, Outcome, Progress, Report, Task};
use fernet::Fernet;

use crate::backend::{
    CHANGES_OF_THE_SCHEMA, Conn, LENIENT_TYPES, MAKE_TYPES, TEXT, TestDatabase, block_updates, change_schema,
    name_of_transaction, unblock_updates,
};
use crate::support::keys::{key, keyring};

/// The rows of the table and of a page. While the task writes the first page, it has already read the second and the
/// third.
pub const ROWS: i64 = 100;
pub const PAGE: i64 = 16;

#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct Row {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub secret: String,
}

/// Creates a table `t` of rows with even ids under the key 1.
pub fn table(sql_type: &str) -> TestDatabase {
    let db = TestDatabase::new();
    for sql in MAKE_TYPES {
        db.conn().batch_execute(sql).unwrap();
    }
    db.conn().batch_execute(&format!("create table t (id bigint not null primary key, secret {sql_type})")).unwrap();
    for id in 1..=ROWS {
        insert(&mut db.conn(), 2 * id, 1);
    }
    db
}

/// Adds a row under this key.
pub fn insert(conn: &mut Conn, id: i64, key: u8) {
    let token = keyring([key]).encrypt(format!("row {id}").as_bytes());
    conn.batch_execute(&format!("insert into t (id, secret) values ({id}, '{token}')")).unwrap();
}

pub fn rows(conn: &mut Conn, condition: &str) -> Vec<Row> {
    let sql = format!("select id, secret from t where {condition} order by id");
    diesel::sql_query(sql).load(conn).unwrap()
}

pub fn is_under(row: &Row, key: u8) -> bool {
    keyring([key]).decrypt(row.secret.as_bytes()).is_ok_and(|plain| plain == format!("row {}", row.id).as_bytes())
}

pub fn task<'a>() -> Task<'a> {
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap());
    task.batch_size(PAGE as usize).accept_triggers(true)
}

/// Runs a task that blocks while it writes the row `id` of the first page. Then it has read the next two pages but not
/// written them, and the application acts.
pub fn interfere(db: &TestDatabase, task: Task<'_>, id: i64, act: impl FnOnce(&mut Conn)) -> Report {
    let mut application = db.conn();
    block_updates(&mut application, id);
    let (send, receive) = mpsc::channel();
    let task = task.on_progress(move |progress| {
        if progress.rows >= 3 * PAGE as u64 {
            let _ = send.send(());
        }
    });
    thread::scope(|threads| {
        let run = threads.spawn(|| task.run(&db.pool(2)).unwrap());
        receive.recv_timeout(Duration::from_secs(10)).unwrap();
        act(&mut application);
        unblock_updates(&mut application);
        run.join().unwrap()
    })
}

/// For many collations these are the same text. The swap compares bytes, and a row that it did not swap counts as raced
/// only.
#[test]
fn an_equal_text_that_the_application_wrote_meanwhile() {
    for (sql_type, other) in LENIENT_TYPES.iter() {
        let db = table(sql_type);
        let mut written = Vec::new();
        let second_page = format!("id > {} and id <= {}", 2 * PAGE, 4 * PAGE);
        let report = interfere(&db, task(), 2, |conn| {
            conn.batch_execute(&format!("update t set secret = {other} where {second_page}")).unwrap();
            written = rows(conn, &second_page);
        });
        assert_eq!(rows(&mut db.conn(), &second_page), written, "{sql_type}, {other}");
        let column = &report.columns()[0];
        let counts = (report.outcome(), column.rewritten, column.raced, column.bad);
        assert_eq!(counts, (Outcome::Proven, 84, 16, 16), "{sql_type}, {other}");
    }
}

/// The task must not bring back a row that was deleted after it was read, and must keep a row that replaced one.
#[test]
fn rows_deleted_and_replaced_meanwhile() {
    let db = table(TEXT);
    let report = interfere(&db, task(), 2, |conn| {
        conn.batch_execute("delete from t where id in (40, 42)").unwrap();
        insert(conn, 42, 2);
        insert(conn, 43, 1);
    });
    assert!(report.is_proven());
    let rows = rows(&mut db.conn(), "id between 39 and 43");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [42, 43]);
    assert!(rows.iter().all(|row| is_under(row, 2)));
    // The page of row 43 was read before that row existed. Only the proof finds it.
    assert_eq!((report.columns()[0].raced, report.columns()[0].rewritten), (2, 99));
}

/// The prepared statements describe a table that has changed. The task retries them on new connections.
#[test]
fn a_schema_that_changes_between_two_pages() {
    for change in CHANGES_OF_THE_SCHEMA {
        let db = table(TEXT);
        let report = interfere(&db, task(), 2, |conn| change_schema(&db, conn, change));
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 100), "{change}");
        assert!(rows(&mut db.conn(), "true").iter().all(|row| is_under(row, 2)), "{change}");
        db.conn().batch_execute(change).unwrap_err();
    }
}

/// The date of a token reveals an application that still writes with an old primary key, or that writes tokens during
/// decryption.
#[test]
fn a_token_that_is_newer_than_the_beginning() {
    for (job, doubt) in
        [(Job::Reencrypt, Doubt::OldPrimary as fn(SystemTime) -> Doubt), (Job::Decrypt, Doubt::StillEncrypting)]
    {
        let db = table(TEXT);
        assert!(task().job(job).run(&db.pool(2)).unwrap().is_proven());
        let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut application = db.conn();
        application.batch_execute("create table other (id int not null primary key)").unwrap();
        application.batch_execute("begin; insert into other values (1)").unwrap();
        let (mut date, mut is_open) = (None, true);
        // The proof waits for this transaction, and so the test waits for the clock.
        let observer = |progress: &Progress| {
            if progress.waits_for.is_none() {
                return;
            }
            let date = *date.get_or_insert_with(|| {
                // Two clocks may differ by two seconds.
                let date = seconds() + 4;
                let token = Fernet::new(&key(1).to_text()).unwrap().encrypt_at_time(b"late", date);
                let insert = format!("insert into t (id, secret) values (1, '{token}')");
                application.batch_execute(&insert).unwrap();
                date
            });
            if seconds() > date && std::mem::take(&mut is_open) {
                application.batch_execute("commit").unwrap();
            }
        };
        let report = task().job(job).on_progress(observer).run(&db.pool(2)).unwrap();
        let expected = date.map(|date| doubt(UNIX_EPOCH + Duration::from_secs(date)));
        assert_eq!((report.outcome(), report.doubt()), (Outcome::Incomplete, expected.as_ref()));
        // The token is newer than the beginning of that run, but older than the beginning of this one.
        assert!(task().job(job).run(&db.pool(2)).unwrap().is_proven());
    }
}

/// No reading sees what an open transaction has written. The fence waits for the transaction, and then the task finds
/// the token.
#[test]
fn an_old_token_in_a_transaction_that_is_still_open() {
    let db = table(TEXT);
    assert!(task().run(&db.pool(2)).unwrap().is_proven());
    let mut application = db.conn();
    application.batch_execute("begin").unwrap();
    insert(&mut application, 1, 1);

    let report = task().fence_timeout(Duration::ZERO).run(&db.pool(2)).unwrap();
    assert_eq!(report.outcome(), Outcome::Incomplete);
    let Some(Doubt::Open(open)) = report.doubt() else { panic!("{:?}", report.doubt()) };
    let name = name_of_transaction(&mut application);
    assert!(open.iter().any(|open| open.starts_with(&name)), "{name} is not among {open:?}");

    let mut is_open = true;
    let observer = |progress: &Progress| {
        let waits = progress.waits_for.as_ref().is_some_and(|reason| reason.contains(&name));
        if waits && std::mem::take(&mut is_open) {
            application.batch_execute("commit").unwrap();
        }
    };
    let report = task().on_progress(observer).run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 1));
    assert!(is_under(&rows(&mut db.conn(), "id = 1")[0], 2));
}
