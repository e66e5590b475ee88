//! The check when an application starts: what it accepts, what it refuses, and its messages.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Job, Progress, StopHandle, Task, state_tables};
use diesel_encrypted::startup::{StartupCheck, StartupError, StartupReport};
use diesel_encrypted::{TableName, Target};
use fernet::Fernet;

use super::people::{People, people};
use crate::backend::{Conn, SHARES, settings, unreachable_url};
use crate::support::keys::{key, keyring};
use crate::support::secrets::{assert_hides, everything_said};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn check(keys: &[u8]) -> StartupCheck {
    StartupCheck::new(keyring(keys.iter().copied())).target(Target::of(people::table).unwrap())
}

fn run(people: &People, check: &StartupCheck) -> Result<StartupReport, StartupError> {
    check.run(&people.db.pool(1))
}

#[track_caller]
fn passes(people: &People, keys: &[u8]) -> StartupReport {
    run(people, &check(keys)).unwrap()
}

/// Returns the message of a check that refuses, and checks that it changed nothing.
#[track_caller]
fn refusal(people: &People, check: &StartupCheck) -> String {
    let before = people.raw();
    let error = run(people, check).unwrap_err();
    assert!(error.is_refused(), "{error}");
    assert_eq!(people.raw(), before);
    let said = everything_said(&error);
    assert!(!said.contains("gAAAA"), "{said}");
    for number in [1, 2, 3] {
        assert_hides(&said, [key(number).to_text()]);
    }
    error.to_string()
}

fn fingerprint(number: u8) -> String {
    key(number).fingerprint().to_string()
}

/// Returns a token that was made so long ago, under the key with this number.
fn token(key_number: u8, seconds_ago: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Fernet::new(&key(key_number).to_text()).unwrap().encrypt_at_time(b"a value", now - seconds_ago)
}

/// Adds a row with such a token.
fn write(people: &People, key_number: u8, seconds_ago: u64) {
    static NEXT: AtomicI64 = AtomicI64::new(1_000_000);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let token = token(key_number, seconds_ago);
    let sql = format!("insert into people (id, name, email) values ({id}, 'x', '{token}')");
    people.conn().batch_execute(&sql).unwrap();
}

fn add_state_tables(people: &People) {
    for statement in state_tables::<<Conn as Connection>::Backend>().create {
        people.conn().batch_execute(&statement).unwrap();
    }
}

/// Whether the tables of the task exist.
fn has_state_tables(people: &People) -> bool {
    people.conn().batch_execute("select 1 from __diesel_encrypted_run").is_ok()
}

#[test]
fn reports_the_content_of_the_sample() {
    let people = People::new(1, 1..=30);
    people.fill(2, 31..=40);
    let before = people.raw();
    let pool = people.db.pool(1);
    let former = settings(&mut pool.get().unwrap());
    let report = check(&[2, 1]).run(&pool).unwrap();
    assert_eq!(report.primary, key(2).fingerprint());
    let columns: Vec<_> = report
        .columns
        .iter()
        .map(|column| {
            let keys: Vec<u64> = column.keys.iter().map(|key| key.values).collect();
            (column.column.as_str(), column.rows, column.null, column.plaintext, column.unreadable, keys)
        })
        .collect();
    let expected = [
        ("email", 40, 0, 0, 0, vec![10, 30]),
        ("phone", 40, 13, 0, 0, vec![7, 20]),
        ("photo", 40, 20, 0, 0, vec![5, 15]),
    ];
    assert_eq!(columns, expected);
    assert!(report.columns.iter().all(|column| column.table == format!("{}people", people.db.schema())));
    let age = SystemTime::now().duration_since(report.moment).unwrap_or_else(|error| error.duration());
    assert!(age < Duration::from_secs(60), "{report:?}");

    // The check only reads, and leaves the settings of the connection unchanged.
    assert_eq!((people.raw(), settings(&mut pool.get().unwrap())), (before, former));
    assert!(!has_state_tables(&people));
}

#[test]
fn looks_at_either_end_of_a_large_table_only() {
    let people = People::new(1, 1..=150);
    people.fill(9, 151..=250);
    people.fill(1, 251..=400);
    let email = &passes(&people, &[1]).columns[0];
    assert_eq!((email.rows, email.unreadable), (200, 0));
}

#[test]
fn an_empty_table_passes() {
    assert_eq!(passes(&People::empty(), &[1]).columns[0].rows, 0);
}

#[test]
fn targets_that_do_not_fit_the_database() {
    let people = People::new(1, 1..=3);
    let schema = people.db.schema();
    let named = |table: &str, column: &str| {
        let target = Target::named(TableName::new(table), [column]).unwrap();
        StartupCheck::new(keyring([1])).target(target)
    };
    assert!(refusal(&people, &named("persons", "email")).starts_with("there is no table persons: "));
    assert!(
        refusal(&people, &named("people", "mail")).starts_with(&format!("the table {schema}people has no column mail"))
    );
    assert!(refusal(&people, &named("people", "id")).contains("does not hold tokens"));
    assert!(refusal(&people, &StartupCheck::new(keyring([1]))).contains("no column is named"));
}

#[test]
fn a_keyring_that_cannot_read_the_data() {
    let people = People::new(1, 1..=300);
    let place = format!("{}people.", people.db.schema());
    let expected = format!(
        "this keyring does not belong to this data: of 200 tokens read in {place}email it opens 0. The others \
         were not touched. Add the key that wrote them to the keyring"
    );
    assert_eq!(refusal(&people, &check(&[2])), expected);

    // Nothing in one column is readable, but other columns are.
    let token = keyring([9]).encrypt(b"7");
    let sql = format!("update people set phone = null where id > 1; update people set phone = '{token}' where id = 1");
    people.conn().batch_execute(&sql).unwrap();
    let said = refusal(&people, &check(&[1]));
    assert!(said.contains(&format!("of 1 tokens read in {place}phone it opens 0")), "{said}");
    passes(&people, &[1, 9]);

    // A problem among readable values does not mean that the keyring is wrong.
    let good = keyring([1]).encrypt(b"7");
    people.conn().batch_execute(&format!("update people set phone = '{good}' where id = 2")).unwrap();
    let phone = &passes(&people, &[1]).columns[1];
    assert_eq!((phone.unreadable, phone.keys[0].values), (1, 1));
}

#[test]
fn plaintext_in_a_column_that_is_not_being_adopted() {
    let people = People::new(1, 1..=5);
    people.conn().batch_execute("update people set email = 'ada@example.org' where id < 3").unwrap();
    let said = refusal(&people, &check(&[1]));
    let schema = people.db.schema();
    let expected = format!("the column {schema}people.email holds plaintext: 2 of 5 sampled values. If ");
    assert!(said.starts_with(&expected), "{said}");
    assert_hides(&said, ["ada@example.org"]);

    let report = run(&people, &check(&[1]).adopting(Target::column(people::email))).unwrap();
    assert_eq!((report.columns[0].plaintext, report.columns.len()), (2, 3));
    // `adopting` also makes a column a target. It permits plaintext in no other column.
    let alone = StartupCheck::new(keyring([1])).adopting("people.email".parse().unwrap());
    assert_eq!(run(&people, &alone).unwrap().columns.len(), 1);
    let said = refusal(&people, &check(&[1]).adopting(Target::column(people::phone)));
    assert!(said.starts_with(&expected), "{said}");
}

/// A user may have stored them while the column was plaintext.
#[test]
fn tokens_in_a_column_that_is_being_adopted() {
    let people = People::new(1, 1..=5);
    let check = || check(&[1]).adopting(Target::column(people::email));
    let email = format!("{}people.email", people.db.schema());
    assert_eq!(run(&people, &check()).unwrap().unexplained, [email]);
    assert!(run(&people, &self::check(&[1])).unwrap().unexplained.is_empty(), "it is not being adopted");
    people.conn().batch_execute("update people set email = 'plain'").unwrap();
    assert!(run(&people, &check()).unwrap().unexplained.is_empty());
    // From now on, a recorded run explains them.
    add_state_tables(&people);
    let task = Task::new(keyring([1])).job(Job::Encrypt).target(Target::column(people::email));
    assert!(task.run(&people.db.pool(2)).unwrap().is_proven());
    assert!(run(&people, &check()).unwrap().unexplained.is_empty());
}

#[test]
fn a_new_primary_key_for_data_under_the_old_one() {
    let people = People::new(1, 1..=20);
    write(&people, 1, 0);
    passes(&people, &[2, 1]);
    // The new key may also be secondary, as in the first step of a rotation.
    passes(&people, &[1, 2]);
}

/// Processes with either primary key run, until the last one has the new key.
#[test]
fn a_deployment_that_is_under_way() {
    let people = People::empty();
    add_state_tables(&people);
    // The data changes rarely: the last value under the old key is old, and the first one under the new key is already
    // there.
    write(&people, 1, 40 * DAY);
    write(&people, 1, 30 * DAY);
    write(&people, 2, 5 * MINUTE);
    for keys in [[1, 2], [2, 1]] {
        passes(&people, &keys);
    }
    for seconds_ago in [4 * MINUTE, 2 * MINUTE, 0] {
        write(&people, 1, seconds_ago);
        write(&people, 2, seconds_ago);
    }
    for keys in [[1, 2], [2, 1]] {
        passes(&people, &keys);
    }
}

#[test]
fn an_old_primary_key_by_the_dates_of_the_values() {
    let people = People::empty();
    add_state_tables(&people);
    for days in [40, 30] {
        write(&people, 1, days * DAY);
    }
    write(&people, 2, 3 * DAY);
    write(&people, 2, MINUTE);
    let said = refusal(&people, &check(&[1, 2]));
    let (old, new) = (fingerprint(1), fingerprint(2));
    let start =
        format!("the primary key of this keyring, {old}, is an old one, judging by the dates of the values: the");
    assert!(said.starts_with(&start) && said.contains(&format!("Put {new} first in the keyring, ")), "{said}");

    passes(&people, &[2, 1]);
    passes(&people, &[3, 2, 1]);
    // During the time of a deployment, both keys may write.
    run(&people, &check(&[1, 2]).deployment(Duration::from_secs(4 * DAY))).unwrap();
    run(&people, &check(&[1, 2]).deployment(Duration::MAX)).unwrap();
    // A process continued for some time with the old primary key.
    write(&people, 1, 2 * DAY);
    passes(&people, &[2, 1]);
}

#[test]
fn dates_in_the_future_are_not_evidence() {
    let people = People::empty();
    add_state_tables(&people);
    write(&people, 1, 30 * DAY);
    let to_come = Fernet::new(&key(2).to_text()).unwrap().encrypt_at_time(b"x", 4_102_444_800);
    people.conn().batch_execute(&format!("insert into people (id, name, email) values (1, 'x', '{to_come}')")).unwrap();
    passes(&people, &[1, 2]);
    write(&people, 2, 2 * HOUR);
    refusal(&people, &check(&[1, 2]));
}

#[test]
fn a_key_that_a_run_has_replaced() {
    let people = People::new(1, 1..=20);
    add_state_tables(&people);
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    let said = refusal(&people, &check(&[1, 2]));
    let (old, new) = (fingerprint(1), fingerprint(2));
    let expected = format!(
        "the primary key of this keyring, {old}, was rotated away from: a re-encryption of this database has rewritten \
         the values of this key under {new}. "
    );
    assert!(said.starts_with(&expected), "{said}");
    passes(&people, &[2, 1]);
    passes(&people, &[2]);

    // A run that found nothing to do does not erase the record, and neither does another rotation.
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    refusal(&people, &check(&[1, 2]));
    passes(&people, &[3, 2, 1]);
    assert!(people.run(people.task([3, 2, 1]), 1).is_proven());
    refusal(&people, &check(&[1, 2, 3]));
    refusal(&people, &check(&[2, 3]));
    passes(&people, &[3, 2]);

    // The operator rotates back on purpose.
    assert!(people.run(people.task([1, 3]), 1).is_proven());
    passes(&people, &[1, 3]);
    refusal(&people, &check(&[3, 1]));
}

/// The new key is a secondary key until all processes have it. A run in the meantime uses the same order.
#[test]
fn a_run_before_the_new_key_is_the_primary_key() {
    let people = People::new(1, 1..=20);
    add_state_tables(&people);
    for keys in [vec![1], vec![1, 2]] {
        assert!(people.run(people.task(keys), 1).is_proven());
    }
    passes(&people, &[2, 1]);
    passes(&people, &[1, 2]);
    // The run does not prevent the check from using the dates later.
    people.conn().batch_execute("delete from people").unwrap();
    write(&people, 1, 30 * DAY);
    write(&people, 2, 2 * HOUR);
    refusal(&people, &check(&[1, 2]));
    passes(&people, &[2, 1]);
}

/// Rewritten tokens keep their dates. By the dates alone, the new key at the beginning of the table would be the older
/// one.
#[test]
fn a_re_encryption_that_has_stopped_half_way() {
    for recorded in [true, false] {
        let people = People::empty();
        for days in (1..=300).rev() {
            write(&people, 1, days * DAY);
        }
        if recorded {
            add_state_tables(&people);
        }
        let stop = StopHandle::default();
        let handle = stop.clone();
        let mut meanwhile = None;
        let observer = |progress: &Progress| {
            if progress.rewritten > 0 && meanwhile.is_none() {
                meanwhile = Some(run(&people, &check(&[2, 1])).map_err(|error| error.to_string()));
                handle.stop();
            }
        };
        let task = people.task([2, 1]).batch_size(1).max_rows_per_second(100).stateless(!recorded);
        let report = people.run(task.stop_handle(stop).on_progress(observer), 1);
        let rewritten = people.column(&report, "email").rewritten;
        assert!((1..300).contains(&rewritten), "{rewritten}");
        let meanwhile = meanwhile.unwrap();
        assert_eq!(meanwhile.is_ok(), recorded || !SHARES, "{meanwhile:?}");
        if recorded || !SHARES {
            passes(&people, &[2, 1]);
        } else {
            let said = refusal(&people, &check(&[2, 1]));
            assert!(said.contains("a stateless task (Task::stateless) has stopped half-way"), "{said}");
        }
        if recorded {
            refusal(&people, &check(&[1, 2]));
        }
        assert!(people.run(people.task([2, 1]).stateless(!recorded), 1).is_proven());
        passes(&people, &[2, 1]);
    }
}

#[test]
fn a_column_that_the_run_omitted() {
    let people = People::empty();
    add_state_tables(&people);
    write(&people, 1, 30 * DAY);
    let forgotten = format!("update people set phone = '{}'", token(1, 2 * DAY));
    people.conn().batch_execute(&forgotten).unwrap();
    let task = Task::new(keyring([2, 1])).target(Target::column(people::email));
    assert!(people.run(task, 1).is_proven());
    // The values of this column are newer than all values under the new key, but under a key that a run has replaced.
    passes(&people, &[2, 1]);
}

/// Whoever writes to the tables of the task stops no start, and explains no tokens.
#[test]
fn a_record_that_somebody_has_changed_is_no_reason_to_refuse() {
    let people = People::new(1, 1..=20);
    add_state_tables(&people);
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    refusal(&people, &check(&[1, 2]));
    let retired = format!("\"retired\":[\"{}\"", fingerprint(1));
    let forged = retired.replace(&fingerprint(1), &fingerprint(2));
    let sql = format!("update __diesel_encrypted_run set document = replace(document, '{retired}', '{forged}')");
    people.conn().batch_execute(&sql).unwrap();
    passes(&people, &[2, 1]);
    passes(&people, &[1, 2]);
    // Nor do holders of other keys.
    people.conn().batch_execute("delete from people").unwrap();
    passes(&people, &[3]);
}

#[test]
fn a_run_of_another_version_is_no_reason_to_refuse() {
    let people = People::empty();
    add_state_tables(&people);
    let sql = "insert into __diesel_encrypted_run (id, document) values (1, '{\"version\": 4711}')";
    people.conn().batch_execute(sql).unwrap();
    write(&people, 1, 30 * DAY);
    write(&people, 2, 2 * HOUR);
    passes(&people, &[1, 2]);
}

#[test]
fn gives_up_in_time() {
    let manager = ConnectionManager::<Conn>::new(unreachable_url());
    let pool = Pool::builder().min_idle(Some(0)).build(manager).unwrap();
    let started = Instant::now();
    let error = check(&[1]).give_up_after(Duration::from_millis(300)).run(&pool).unwrap_err();
    assert!(error.is_database(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));

    let people = People::new(1, 1..=3);
    let error = run(&people, &check(&[1]).give_up_after(Duration::ZERO)).unwrap_err();
    assert!(error.to_string().contains("the check took longer than 0ns"), "{error}");
}
