//! Values that are no tokens but hold one. They are found, listed, and neither rewritten nor sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel_encrypted::reencrypt::{Job, Outcome, ProblemKind, Report, Task};

use crate::backend::{BYTES, BYTES_LITERAL, SELECT_BYTES, SELECT_TEXT, TEXT, TestDatabase};
use crate::suite::program::scene::{Scene, token};
use crate::support::keys::{key, keyring};

/// Ways in which a token that does not stand alone was found in the field.
fn ways(token: &str) -> Vec<String> {
    vec![
        format!(" {token}"),
        format!("\t{token}\r\n"),
        format!("\u{feff}{token}"),
        format!("\"{token}\""),
        format!("'{token}'"),
        format!("b'{token}'"),
        format!("{{\"type\": \"secret\", \"value\": {{\"inner\": \"{token}\"}}}}"),
        format!("password={token}; port=5432"),
        STANDARD.encode(token),
    ]
}

/// The same, for values that begin as a token does.
fn damaged_ways(token: &str) -> Vec<String> {
    vec![
        format!("{token}\n"),
        format!("{token} "),
        token.trim_end_matches('=').to_owned(),
        token.replace('=', "%3D"),
        format!("{token},{token}"),
    ]
}

#[derive(Debug, Clone, PartialEq, QueryableByName)]
struct Raw {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Binary)]
    secret: Vec<u8>,
    #[diesel(sql_type = Binary)]
    scan: Vec<u8>,
}

/// Creates a table with these values in a text and in a binary column, and ten tokens under key 1.
fn table(values: &[String]) -> TestDatabase {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    let sql = format!("create table t (id bigint not null primary key, secret {TEXT}, scan {BYTES})");
    conn.batch_execute(&sql).unwrap();
    let tokens = (0..10).map(|id| (100 + id, keyring([1]).encrypt(b"sealed")));
    for (id, value) in (0..).zip(values.iter().cloned()).chain(tokens) {
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let bytes = BYTES_LITERAL.replace("{}", &hex);
        let text = value.replace('\'', "''");
        conn.batch_execute(&format!("insert into t values ({id}, '{text}', {bytes})")).unwrap();
    }
    db
}

/// The rows without the ten tokens.
fn raw(db: &TestDatabase) -> Vec<Raw> {
    let scan = SELECT_BYTES.replace("secret", "scan");
    let sql = format!("select id, {SELECT_TEXT} as secret, {scan} as scan from t where id < 100 order by id");
    diesel::sql_query(sql).load(&mut db.conn()).unwrap()
}

fn task<'a>(job: Job) -> Task<'a> {
    let targets = ["t.secret", "t.scan"].map(|column| column.parse().unwrap());
    Task::new(keyring([2, 1])).job(job).targets(targets).accept_tokens()
}

fn kinds(report: &Report) -> Vec<ProblemKind> {
    let mut kinds: Vec<_> =
        report.problems().iter().map(|problem| (problem.column.clone(), number(&problem.row), problem.kind)).collect();
    kinds.sort_unstable();
    kinds.into_iter().map(|(_, _, kind)| kind).collect()
}

fn number(row: &str) -> u32 {
    row.strip_prefix("id=").unwrap().parse().unwrap()
}

#[test]
fn a_token_inside_a_value_is_never_sealed() {
    let [ours, foreign] = [1, 9].map(|number| keyring([number]).encrypt(b"in the field"));
    let values = [ways(&ours), damaged_ways(&ours), ways(&foreign), vec!["plain".into()]].concat();
    let db = table(&values);
    let before = raw(&db);
    let expected = vec![ProblemKind::Misshapen; 2 * (values.len() - 1)];
    for job in [Job::Reencrypt, Job::Encrypt] {
        let report = task(job).run(&db.pool(2)).unwrap();
        assert_eq!((report.outcome(), report.old_keys_may_go()), (Outcome::Proven, false));
        let found: Vec<_> = kinds(&report).into_iter().filter(|kind| *kind != ProblemKind::Plaintext).collect();
        assert_eq!(found, expected, "{job}");
        let last = values.len() - 1;
        assert_eq!(raw(&db)[..last], before[..last]);
        assert_eq!(raw(&db)[last] == before[last], job == Job::Reencrypt);
    }
    // Whoever declares that the values are plaintext may seal the tokens of others, and never one of ours.
    let choice = |task: Task<'static>| {
        let columns = ["t.secret", "t.scan"].map(|column| column.parse().unwrap());
        columns.into_iter().fold(task, Task::token_like_plaintext)
    };
    let report = choice(task(Job::Encrypt)).run(&db.pool(2)).unwrap();
    assert!(kinds(&report).iter().all(|kind| *kind == ProblemKind::Misshapen));
    assert_eq!(report.problems().len(), 2 * (ways("").len() + damaged_ways("").len()));
    let after = raw(&db);
    let sealed = ways("").len() + damaged_ways("").len()..values.len();
    assert_eq!(after[..sealed.start], before[..sealed.start]);
    for (before, after) in before[sealed.clone()].iter().zip(&after[sealed]) {
        assert_eq!(keyring([2]).decrypt(&after.secret).unwrap(), before.secret);
        assert_eq!(keyring([2]).decrypt(&after.scan).unwrap(), before.scan);
    }
}

/// A value that begins as a token does, and that no key opens, stays what it was: unreadable.
#[test]
fn a_damaged_token_of_another_key_is_unreadable() {
    let values = damaged_ways(&keyring([9]).encrypt(b"in the field"));
    let db = table(&values);
    let before = raw(&db);
    let report = task(Job::Encrypt).run(&db.pool(2)).unwrap();
    assert_eq!(kinds(&report), vec![ProblemKind::Unreadable; 2 * values.len()]);
    assert_eq!(raw(&db), before);
}

#[test]
fn a_key_is_needed_while_a_value_holds_a_token_under_it() {
    let values = ways(&keyring([1]).encrypt(b"in the field"));
    let db = table(&values);
    assert_eq!(task(Job::Reencrypt).run(&db.pool(2)).unwrap().outcome(), Outcome::Proven);
    let status = task(Job::Reencrypt).status(&db.pool(1)).unwrap();
    assert!(status.has_bad_values() && !status.has_stale_values());
    for column in &status.columns {
        let counts = [column.plaintext, column.unreadable, column.misshapen, column.rows];
        assert_eq!(counts, [0, 0, values.len() as u64, 10 + values.len() as u64]);
        assert_eq!(column.keys.iter().map(|key| key.misshapen).collect::<Vec<_>>(), [0, values.len() as u64]);
    }
    let retirement = task(Job::Reencrypt).retire(key(1).fingerprint(), &db.pool(1)).unwrap();
    assert!(!retirement.is_proven() && retirement.values() == 2 * values.len() as u64, "{}", retirement.statement());
}

/// The rest of a value of a wrong shape is not plaintext. Nor would a plaintext be, if it held a token.
#[test]
fn decryption_leaves_both_sides() {
    let inner = keyring([1]).encrypt(b"inner");
    let values = [ways(&inner), vec![keyring([2]).encrypt(format!("\"{inner}\"").as_bytes())]].concat();
    let db = table(&values);
    let before = raw(&db);
    let report = task(Job::Decrypt).run(&db.pool(2)).unwrap();
    let mut expected = vec![ProblemKind::Misshapen; values.len() - 1];
    expected.push(ProblemKind::Nested);
    assert_eq!(kinds(&report), [expected.clone(), expected].concat());
    assert_eq!(raw(&db), before);
}

#[test]
fn discover_finds_them() {
    let scene = Scene::new();
    scene.run(&format!("create table u (id bigint not null primary key, a {TEXT}, b {TEXT}, c json, d {TEXT})"));
    let [alone, other] = [token(), token()];
    let values = [
        (format!(" {alone}"), "plain".to_owned(), format!("\"{alone}\"")),
        ("x".into(), STANDARD.encode(&alone), format!("{{\"a\": [{{\"b\": \"{other}\"}}]}}")),
        (other.trim_end_matches('=').to_owned(), "y".into(), "{}".into()),
    ];
    for (id, (a, b, c)) in values.iter().enumerate() {
        scene.run(&format!("insert into u values ({id}, '{a}', '{b}', '{c}', 'gAAAA is how it begins, and no more')"));
    }
    scene.finds(&[("wrong shape", "u.a"), ("wrong shape", "u.b"), ("wrong shape", "u.c")]);
    let json = scene.discover().arg("--json").run().json();
    let detail = json["findings"][2]["detail"].as_str().unwrap();
    assert!(detail.starts_with("2 of 3 sampled values") && detail.contains("does not rewrite"), "{detail}");
    // No task takes the documents for a column of tokens.
    let task = Task::new(keyring([2, 1])).target("u.c".parse().unwrap());
    let error = task.run(&scene.db.pool(1)).unwrap_err().to_string();
    assert!(error.contains("u.c cannot be a target: its type is ") && error.contains("json"), "{error}");
    // A program that declares nothing asks for the tokens of others.
    scene.declare("nothing (id) { id -> BigInt, }");
    let run = scene.discover().exits_with(4);
    assert!(run.stdout.contains("wrong shape"), "{}", run.stdout);
}
