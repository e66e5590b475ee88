//! Contents that only SQLite accepts: text that is not UTF-8, numbers in a column of bytes, bytes in a column of text.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::Adopting;
use diesel_encrypted::reencrypt::{Job, Outcome, ProblemKind, Report, Task};

use crate::backend::{Conn, TestDatabase};
use crate::suite::sql::text;
use crate::support::keys::keyring;

diesel::table! {
    t (id) {
        id -> Integer,
        secret -> Nullable<Text>,
        scan -> Nullable<Binary>,
    }
}

fn table(rows: &str) -> TestDatabase {
    let db = TestDatabase::new();
    let sql = "create table t (id integer primary key, secret text, scan blob)";
    db.conn().batch_execute(&format!("{sql}; insert into t values {rows}")).unwrap();
    db
}

fn encrypt(db: &TestDatabase) -> Report {
    let targets = ["t.secret", "t.scan"].map(|column| column.parse().unwrap());
    Task::new(keyring([2])).job(Job::Encrypt).targets(targets).accept_tokens().run(&db.pool(2)).unwrap()
}

fn problems(report: &Report) -> Vec<(&str, &str, ProblemKind)> {
    let problem = report.problems().iter();
    problem.map(|problem| (problem.column.as_str(), problem.row.as_str(), problem.kind)).collect()
}

fn shown(conn: &mut Conn, id: i32) -> String {
    let value = |column: &str| format!("typeof({column}) || hex({column})");
    text(conn, &format!("select {} || {} from t where id = {id}", value("secret"), value("scan")))
}

/// A model of a text column would not load a token of such bytes, and a number would come back as text.
#[test]
fn what_no_model_would_load_is_listed_and_stays() {
    let db = table(
        "(1, cast(x'636166e9' as text), 42), (2, x'00ff', -1.5e300), (3, cast(x'ff' as text), 0),
         (4, 'caf' || char(233), x'ff'), (5, 'a ' || char(65533), 'text'), (6, x'636166c3a9', ''), (7, 42, null)",
    );
    let before = [1, 2, 3].map(|id| shown(&mut db.conn(), id));
    let report = encrypt(&db);
    assert_eq!((report.outcome(), report.old_keys_may_go()), (Outcome::Proven, false));
    let rows = ["id=1", "id=2", "id=3"];
    let numbers = rows.map(|row| ("scan", row, ProblemKind::Number));
    assert_eq!(problems(&report), [numbers, rows.map(|row| ("secret", row, ProblemKind::NotText))].concat());
    assert_eq!([1, 2, 3].map(|id| shown(&mut db.conn(), id)), before);
    // The others are sealed as the bytes that the model has read.
    type Read = (i32, Option<Adopting<String>>, Option<Adopting<Vec<u8>>>);
    let load = || t::table.filter(t::id.gt(3)).order(t::id).load(&mut db.conn());
    let rows: Vec<Read> = keyring([2]).scope(load).unwrap();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(_, secret, scan)| (secret.map(Adopting::into_inner), scan.map(Adopting::into_inner)))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        (text("café"), Some(vec![0xff])),
        (text("a \u{fffd}"), Some(b"text".to_vec())),
        (text("café"), Some(vec![])),
        (text("42"), None),
    ];
    assert_eq!(rows, expected);

    // The way out of the report.
    db.conn()
        .batch_execute(
            "update t set scan = cast(scan as blob) where typeof(scan) in ('integer', 'real');
             update t set secret = 'repaired' where id < 4",
        )
        .unwrap();
    assert!(encrypt(&db).old_keys_may_go());
}

/// A token is one in a text of any encoding.
#[test]
fn a_token_before_bytes_that_are_not_text_is_not_sealed() {
    let token = keyring([2]).encrypt(b"sealed");
    let db = table(&format!("(1, cast(x'e9' || cast('{token}' as blob) as text), null), (2, '{token}', null)"));
    let before = shown_secret(&db);
    let report = encrypt(&db);
    assert_eq!(problems(&report), [("secret", "id=1", ProblemKind::Misshapen)]);
    assert_eq!(shown_secret(&db), before);
}

fn shown_secret(db: &TestDatabase) -> String {
    text(&mut db.conn(), "select typeof(secret) || hex(secret) from t where id = 1")
}

/// No token is JSON, so every write would fail.
#[test]
fn a_column_that_has_to_hold_json_is_refused() {
    let db = TestDatabase::new();
    let token = keyring([1]).encrypt(b"sealed");
    let sql = format!(
        "create table t (id integer primary key, secret text check ( JSON_VALID (\"secret\") ), note text);
         insert into t values (1, '\"{token}\"', 'x')"
    );
    db.conn().batch_execute(&sql).unwrap();
    for job in [Job::Encrypt, Job::Reencrypt] {
        let run = |column: &str| {
            Task::new(keyring([2, 1])).job(job).target(column.parse().unwrap()).accept_tokens().run(&db.pool(1))
        };
        let error = run("t.secret").unwrap_err().to_string();
        assert!(error.contains("its type is JSON (TEXT with CHECK json_valid), which does not hold tokens"), "{error}");
        assert!(run("t.note").is_ok());
    }
}

/// Without a list of columns, a foreign key refers to the primary key, which may be `NULL` and is then no row key.
#[test]
fn a_foreign_key_to_the_primary_key() {
    let db = TestDatabase::new();
    let token = keyring([1]).encrypt(b"sealed");
    let sql = format!(
        "create table t (secret text primary key, note text);
         create table child (id integer primary key, parent text references T on update cascade);
         insert into t values ('{token}', 'x')"
    );
    db.conn().batch_execute(&sql).unwrap();
    let run = |column: &str| Task::new(keyring([2, 1])).target(column.parse().unwrap()).run(&db.pool(1));
    let error = run("t.secret").unwrap_err().to_string();
    assert!(error.contains("the foreign key of child to T"), "{error}");
    assert!(run("t.note").is_ok());
}

/// SQLite takes a name in double quotes that it does not know for a text. Such a condition is true for every row.
#[test]
fn a_condition_with_an_unknown_name_is_refused() {
    let db = table("(1, 'plain', null)");
    let target = || "t.secret".parse().unwrap();
    let task = Task::new(keyring([2])).target(target()).plaintext_where(target(), "\"is_plain\" is not null");
    let error = task.run(&db.pool(1)).unwrap_err().to_string();
    assert!(error.contains("the table has no column is_plain"), "{error}");
}
