//! Plaintext that is right: a condition declares the rows, as Airflow's `is_encrypted` does.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Doubt, Job, Outcome, ProblemKind, Refusal, Report, Task};

use crate::backend::{TEXT, TestDatabase};
use crate::suite::program::fingerprint;
use crate::suite::sql::{number, text};
use crate::suite::traps::{self, interfere};
use crate::support::keys::keyring;
use crate::support::runner::Program;

const RULE: &str = "NOT is_encrypted OR secret = '' -- as the application writes it";

/// Tokens under key 1, and plaintext that is right in two rows and wrong in two.
fn table() -> TestDatabase {
    let db = TestDatabase::new();
    let [token, other] = [1, 1].map(|number| keyring([number]).encrypt(b"sealed"));
    let sql = format!(
        "create table t (id bigint not null primary key, secret {TEXT}, is_encrypted boolean);
         insert into t values (1, '{token}', true), (2, 'right', false), (3, '', true), (4, null, null),
                              (5, '{other}', false), (6, 'wrong', true), (7, 'not known', null)"
    );
    db.conn().batch_execute(&sql).unwrap();
    db
}

fn task<'a>(job: Job) -> Task<'a> {
    let target = || "t.secret".parse().unwrap();
    Task::new(keyring([2, 1])).job(job).target(target()).accept_tokens().plaintext_where(target(), RULE)
}

/// Scanned, rewritten, current, exempt, `NULL`, bad.
fn counts(report: &Report) -> [u64; 6] {
    let column = &report.columns()[0];
    [column.scanned, column.rewritten, column.current, column.exempt, column.null, column.bad]
}

fn secret(db: &TestDatabase, id: u32) -> String {
    text(&mut db.conn(), &format!("select secret from t where id = {id}"))
}

#[test]
fn a_rotation_ends_where_plaintext_is_right() {
    let db = table();
    let report = task(Job::Reencrypt).run(&db.pool(2)).unwrap();
    // A condition that is NULL is not met. A token is rotated whatever the condition says.
    assert_eq!(counts(&report), [7, 2, 2, 2, 1, 2]);
    let problems: Vec<_> = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect();
    assert_eq!(problems, [("id=6", ProblemKind::Plaintext), ("id=7", ProblemKind::Plaintext)]);
    assert_eq!([2, 3, 6].map(|id| secret(&db, id)), ["right", "", "wrong"]);

    db.conn().batch_execute("delete from t where id in (6, 7)").unwrap();
    let report = task(Job::Reencrypt).run(&db.pool(2)).unwrap();
    assert!(report.is_proven() && report.old_keys_may_go(), "{report:?}");
    assert_eq!((counts(&report), report.columns()[0].stale()), ([5, 0, 2, 2, 1, 0], 0));
    let statement = report.statement();
    let expected =
        "t.secret, 2 values are plaintext, which is declared to be right where NOT is_encrypted OR secret = ''";
    assert!(statement.contains(expected), "{statement}");
    let status = task(Job::Reencrypt).status(&db.pool(1)).unwrap();
    assert!(!status.has_bad_values() && !status.has_stale_values() && status.columns[0].exempt == 2);
    assert!(status.statement().contains(expected), "{}", status.statement());
    let retirement = task(Job::Reencrypt).retire(fingerprint(1).parse().unwrap(), &db.pool(1)).unwrap();
    assert!(retirement.is_proven() && !retirement.statement().contains("under no key"), "{}", retirement.statement());
    // Without the condition, all of it is listed.
    let report = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&db.pool(1)).unwrap();
    assert_eq!((report.problems().len(), report.columns()[0].exempt), (2, 0));
}

#[test]
fn encryption_leaves_it_and_decryption_does_not_ask() {
    let db = table();
    let report = task(Job::Encrypt).run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), counts(&report)), (Outcome::Proven, [7, 4, 4, 2, 1, 0]));
    assert_eq!([2, 3].map(|id| secret(&db, id)), ["right", ""]);
    assert_eq!(keyring([2]).decrypt(secret(&db, 6).as_bytes()).unwrap(), b"wrong");
    let report = task(Job::Decrypt).run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), counts(&report)), (Outcome::Proven, [7, 4, 6, 0, 1, 0]));
}

/// What looks like a token is not excused by any condition.
#[test]
fn a_condition_excuses_plaintext_only() {
    let db = table();
    let [lookalike, wrapped] = ["gAAAA is how it begins".to_owned(), format!("\"{}\"", keyring([1]).encrypt(b"x"))];
    db.conn()
        .batch_execute(&format!(
            "delete from t where id > 5; insert into t values (8, '{lookalike}', false), (9, '{wrapped}', false)"
        ))
        .unwrap();
    for job in [Job::Reencrypt, Job::Encrypt] {
        let report = task(job).run(&db.pool(1)).unwrap();
        let kinds: Vec<_> = report.problems().iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, [ProblemKind::Unreadable, ProblemKind::Misshapen]);
    }
}

/// The application stores plaintext on purpose, without a change of the value, after the task has read the row.
#[test]
fn a_row_that_becomes_exempt_is_not_sealed() {
    let db = TestDatabase::new();
    let sql = format!("create table t (id bigint not null primary key, secret {TEXT}, is_encrypted boolean)");
    db.conn().batch_execute(&sql).unwrap();
    for id in 1..=traps::ROWS {
        db.conn().batch_execute(&format!("insert into t values ({}, 'row {}', true)", 2 * id, 2 * id)).unwrap();
    }
    let target = || "t.secret".parse().unwrap();
    let task = traps::task().job(Job::Encrypt).accept_tokens().plaintext_where(target(), "NOT is_encrypted");
    let report = interfere(&db, task, 2, |conn| {
        conn.batch_execute("update t set is_encrypted = false where id = 40").unwrap();
    });
    assert_eq!((report.outcome(), report.columns()[0].exempt), (Outcome::Proven, 1));
    assert_eq!(secret(&db, 40), "row 40");
    assert_eq!(number(&mut db.conn(), "select count(*) from t where secret like 'gAAAA%'"), traps::ROWS - 1);
}

#[test]
fn a_condition_that_is_none_is_refused_before_anything_is_written() {
    let db = table();
    let refused = |column: &str, condition: &str| {
        let target = || "t.secret".parse().unwrap();
        let task = Task::new(keyring([2, 1])).target(target()).plaintext_where(column.parse().unwrap(), condition);
        let error = task.run(&db.pool(1)).unwrap_err();
        (error.refusal().cloned().unwrap_or_else(|| panic!("{error}")), error.to_string())
    };
    for condition in [
        "count(*) > 0",
        "is_encryptd",
        "true) or (true",
        "id in (select id from t)",
        "row_number() over (order by id) > 1",
        "secret = 'open",
        "true; drop table t",
        "",
    ] {
        let (refusal, said) = refused("t.secret", condition);
        assert!(matches!(refusal, Refusal::Condition { .. }), "{condition}: {said}");
        assert!(said.contains("plaintext is right in ") && said.contains("cannot be used"), "{said}");
    }
    assert!(matches!(refused("t.other", "true").0, Refusal::NotATarget { .. }));
    assert_eq!(secret(&db, 1).len(), 100);
}

#[test]
fn rows_in_doubt_are_not_exempt() {
    let db = TestDatabase::new();
    let sql = format!(
        "create table t (id bigint not null primary key, secret {TEXT}, check (id <> 6 or secret = 'row 6'));
         insert into t values (6, 'row 6'), (7, 'row 7')"
    );
    db.conn().batch_execute(&sql).unwrap();
    let target = || "t.secret".parse().unwrap();
    let task = |condition: &str| {
        Task::new(keyring([2])).job(Job::Encrypt).target(target()).plaintext_where(target(), condition)
    };
    let report = task("id = 7").run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), report.doubt()), (Outcome::Incomplete, Some(&Doubt::LeftPlaintext(1))));
    assert!(task("id = 6").run(&db.pool(2)).unwrap().old_keys_may_go());
}

#[test]
fn the_program_takes_conditions() {
    let db = table();
    db.conn().batch_execute("delete from t where id in (6, 7)").unwrap();
    let program = |args: &[&str]| {
        let keys = [2, 1].map(crate::suite::program::key_text);
        let keys = [keys[0].as_str(), keys[1].as_str()];
        Program::new(args.iter().copied()).keys(&keys).database(&db.url()).args(["--column", "t.secret"])
    };
    let rule = format!("t.secret: {}", RULE.split_once(" --").unwrap().0);
    program(&["reencrypt"]).exits_with(4).says("--plaintext-where");
    let run = program(&["reencrypt", "--plaintext-where", &rule]).exits_with(0);
    assert!(
        run.stdout.contains("plaintext by rule") && run.stdout.contains("2 values are plaintext"),
        "{}",
        run.stdout
    );
    program(&["status"]).exits_with(4);
    program(&["status", "--plaintext-where", &rule]).exits_with(0);
    program(&["retire", &fingerprint(1), "--plaintext-where", &rule]).exits_with(0);
    program(&["encrypt", "--accept-tokens", "--plaintext-where", &rule]).exits_with(0);
    assert_eq!(secret(&db, 2), "right");
    program(&["status", "--plaintext-where", "t.secret"]).exits_with(2).says("a column and a condition");
    program(&["status", "--plaintext-where", "t.secret: count(*) > 1"]).exits_with(5).says("cannot be used");
}
