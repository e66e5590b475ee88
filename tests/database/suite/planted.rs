//! Tokens that are in a column before it is encrypted: a user of the application may have stored them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Job, Outcome, Refusal, Remedy, Task};
use diesel_encrypted::{TableName, Target};
use fernet::Fernet;

use super::sql::texts;
use crate::backend::{BYTES, BYTES_LITERAL, SHARES, TEXT, TestDatabase};
use crate::support::keys::{key, keyring};

/// 2026-11-26T10:00:00Z
const DEPLOYED: u64 = 1_795_687_200;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A token of this date, under the key with this number.
fn token(number: u8, date: u64) -> String {
    Fernet::new(&key(number).to_text()).unwrap().encrypt_at_time(b"123-45-6789", date)
}

/// A table `t` with a text column `nick`, a binary column `scan`, and a row of plaintext.
fn table() -> TestDatabase {
    let db = TestDatabase::new();
    let sql = format!("create table t (id int not null primary key, nick {TEXT}, scan {BYTES})");
    db.conn().batch_execute(&sql).unwrap();
    insert(&db, 1, "alice", b"scan");
    db
}

fn insert(db: &TestDatabase, id: i32, nick: &str, scan: &[u8]) {
    let hex: String = scan.iter().map(|byte| format!("{byte:02x}")).collect();
    let scan = BYTES_LITERAL.replace("{}", &hex);
    db.conn().batch_execute(&format!("insert into t (id, nick, scan) values ({id}, '{nick}', {scan})")).unwrap();
}

fn nicks(db: &TestDatabase) -> Vec<String> {
    texts(&mut db.conn(), "select nick from t order by id")
}

fn encrypt<'a>() -> Task<'a> {
    Task::new(keyring([2, 1])).job(Job::Encrypt).target(Target::named(TableName::new("t"), ["nick", "scan"]).unwrap())
}

/// Checks that the task refuses these tokens of this column, and writes nothing.
#[track_caller]
fn is_refused(db: &TestDatabase, task: impl Fn() -> Task<'static>, column: &str, tokens: u64, dates: [u64; 2]) {
    let before = nicks(db);
    for dry_run in [true, false] {
        let error = task().dry_run(dry_run).run(&db.pool(2)).unwrap_err();
        let refusal = error.refusal().unwrap_or_else(|| panic!("{error}"));
        let Refusal::Tokens { column: found, tokens: count, oldest, newest, .. } = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!((found.as_str(), *count, [*oldest, *newest]), (column, tokens, dates.map(at)));
        assert_eq!(refusal.remedy(), Some(Remedy::AcceptTokens));
        assert!(error.report().is_none());
    }
    assert_eq!(nicks(db), before);
}

#[test]
fn are_refused_in_every_form_unless_they_are_accepted() {
    let text = token(1, DEPLOYED);
    let raw = URL_SAFE.decode(&text).unwrap();
    for (nick, scan, column) in
        [(&*text, &b"scan"[..], "nick"), ("bob", &raw, "scan"), ("bob", text.as_bytes(), "scan")]
    {
        let db = table();
        assert_eq!(encrypt().dry_run(true).run(&db.pool(1)).unwrap().outcome(), Outcome::Incomplete);
        insert(&db, 2, nick, scan);
        is_refused(&db, encrypt, column, 1, [DEPLOYED, DEPLOYED]);
        assert!(encrypt().accept_tokens().run(&db.pool(2)).unwrap().is_proven());
    }
}

#[test]
fn are_known_by_their_date() {
    let db = table();
    insert(&db, 2, &token(1, DEPLOYED + 9), b"scan");
    insert(&db, 3, &token(2, DEPLOYED), b"scan");
    is_refused(&db, || encrypt().accept_tokens_since(at(DEPLOYED + 1)), "nick", 2, [DEPLOYED, DEPLOYED + 9]);
    let report = encrypt().accept_tokens_since(at(DEPLOYED)).run(&db.pool(2)).unwrap();
    assert!(report.is_proven());
    // Its own tokens are newer, so that it can be run again.
    insert(&db, 4, "carol", b"scan");
    assert!(encrypt().accept_tokens_since(at(DEPLOYED)).run(&db.pool(2)).unwrap().is_proven());
}

#[test]
fn values_that_no_key_opens_are_another_matter() {
    let db = table();
    insert(&db, 2, &token(9, DEPLOYED), b"scan");
    insert(&db, 3, "gAAAA is how my name begins", b"scan");
    for id in 4..30 {
        insert(&db, id, "plain", b"scan");
    }
    let choice = || encrypt().token_like_plaintext("t.nick".parse().unwrap());
    assert!(choice().run(&db.pool(2)).unwrap().is_proven());
}

/// A run that was interrupted, or has ended, has written the tokens that the next one finds.
#[test]
fn are_explained_by_a_recorded_run_in_the_same_columns() {
    let db = table();
    assert!(encrypt().run(&db.pool(2)).unwrap().is_proven());
    insert(&db, 2, "bob", b"scan");
    insert(&db, 3, &token(1, DEPLOYED), b"scan");
    let again = encrypt().run(&db.pool(2));
    if !SHARES {
        // A run that is not recorded explains nothing.
        assert!(matches!(again.unwrap_err().refusal(), Some(Refusal::Tokens { .. })));
        let began = SystemTime::now() - Duration::from_secs(3600);
        let error = encrypt().accept_tokens_since(began).run(&db.pool(2)).unwrap_err();
        assert!(matches!(error.refusal(), Some(Refusal::Tokens { tokens: 2, .. })), "{error}");
        return;
    }
    assert!(again.unwrap().is_proven());

    // It explains no other column, and a stateless run is not recorded.
    let also = |column: &str| {
        let sql = format!("alter table t add column {column} {TEXT}");
        db.conn().batch_execute(&sql).unwrap();
        db.conn().batch_execute(&format!("update t set {column} = '{}' where id = 1", token(1, DEPLOYED))).unwrap();
        Task::new(keyring([2, 1])).job(Job::Encrypt).target(format!("t.{column}").parse().unwrap())
    };
    let error = also("note").run(&db.pool(2)).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::Tokens { .. })), "{error}");
    // After a decryption, the column is plaintext again.
    let decrypt = encrypt().job(Job::Decrypt);
    assert!(decrypt.run(&db.pool(2)).unwrap().is_proven());
    insert(&db, 4, &token(1, DEPLOYED), b"scan");
    is_refused(&db, encrypt, "nick", 1, [DEPLOYED, DEPLOYED]);
}

/// Whoever writes to the tables of the task cannot say that a run worked on a column.
#[test]
fn are_not_explained_by_a_record_that_somebody_has_changed() {
    if !SHARES {
        return;
    }
    let db = table();
    let nick = || Task::new(keyring([2, 1])).job(Job::Encrypt).target("t.nick".parse().unwrap());
    let scan = || Task::new(keyring([2, 1])).job(Job::Encrypt).target("t.scan".parse().unwrap());
    assert!(nick().run(&db.pool(2)).unwrap().is_proven());
    insert(&db, 2, "bob", token(1, DEPLOYED).as_bytes());
    let replace = |from: &str, to: &str| {
        let sql = format!("update __diesel_encrypted_run set document = replace(document, '{from}', '{to}')");
        db.conn().batch_execute(&sql).unwrap();
    };
    // The targets are described as `t (id): nick`.
    replace(": nick\"", ": nick, scan\"");
    is_refused(&db, scan, "scan", 1, [DEPLOYED, DEPLOYED]);
    replace(": nick, scan\"", ": nick\"");
    insert(&db, 3, &token(1, DEPLOYED), b"scan");
    assert!(nick().run(&db.pool(2)).unwrap().is_proven());
}

/// Where the application reads tokens already, a task that re-encrypts has found the plaintext that is to be encrypted.
#[test]
fn are_explained_by_a_re_encryption() {
    if !SHARES {
        return;
    }
    let db = table();
    insert(&db, 2, &token(1, DEPLOYED), &URL_SAFE.decode(token(1, DEPLOYED)).unwrap());
    let report = encrypt().job(Job::Reencrypt).run(&db.pool(2)).unwrap();
    assert_eq!(report.problems().len(), 2);
    assert!(encrypt().run(&db.pool(2)).unwrap().is_proven());
}
