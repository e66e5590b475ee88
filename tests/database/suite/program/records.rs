//! Whoever may write to the tables of the task can invent no proof, and neither stop a process for ever nor crash it.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Progress, Refusal, Report, StopHandle, Task, TaskError};
use serde_json::{Value, json};

use super::vault::{Row, Vault};
use crate::backend::Conn;
use crate::support::keys::keyring;

const OLD: u8 = 1;
const NEW: u8 = 2;
const ROWS: i64 = 300;

diesel::table! {
    #[sql_name = "__diesel_encrypted_run"]
    run_table (id) {
        id -> Integer,
        document -> Text,
    }
}

fn document(conn: &mut Conn) -> Value {
    let text: String = run_table::table.select(run_table::document).first(conn).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn write(conn: &mut Conn, document: &str) {
    let updated = diesel::update(run_table::table).set(run_table::document.eq(document)).execute(conn);
    assert_eq!(updated.unwrap(), 1);
}

fn task<'a>() -> Task<'a> {
    Task::new(keyring([NEW, OLD])).target("vault.secret".parse().unwrap()).batch_size(10)
}

/// Runs the task, and changes its record while it reads everything for the proof.
fn run(vault: &Vault, mut forge: impl FnMut(&mut Conn) + Send) -> Result<Report, TaskError> {
    let mut conn = vault.db.conn();
    let mut is_forged = false;
    let observer = |progress: &Progress| {
        if progress.is_proving && !std::mem::replace(&mut is_forged, true) {
            forge(&mut conn);
        }
    };
    let result = task().max_rows_per_second(500).on_progress(observer).run(&vault.db.pool(2));
    assert!(is_forged);
    result
}

#[test]
fn an_invented_ending_is_not_believed() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    let forge = |conn: &mut Conn| {
        let mut document = document(conn);
        let mut tallies = document["run"]["tallies"].clone();
        tallies[0]["keys"] = json!([ROWS, 0]);
        let proof = json!({ "moment": 1_896_000_000_000_u64, "values": ROWS });
        let ending = json!({ "proof": proof, "doubt": null, "tallies": tallies, "omitted": 0 });
        document["run"]["phase"] = json!({ "Ended": ending });
        write(conn, &document.to_string());
    };
    let error = run(&vault, forge).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::ForgedRecord), "{error}");
}

/// The ending of an earlier run was signed by a process with the same keyring.
#[test]
fn an_ending_that_is_older_than_the_process_is_not_believed() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    assert!(task().run(&vault.db.pool(2)).unwrap().is_proven());
    let conn = &mut vault.db.conn();
    let ending = document(conn)["run"]["phase"].clone();
    assert!(ending["Ended"]["signature"].as_str().unwrap().len() == 64, "{ending}");
    conn.batch_execute("delete from vault").unwrap();
    vault.insert(&(1..=ROWS).map(|id| Row::sealed(id, OLD)).collect::<Vec<_>>());
    let forge = |conn: &mut Conn| {
        let mut document = document(conn);
        document["run"]["phase"] = ending.clone();
        write(conn, &document.to_string());
    };
    let error = run(&vault, forge).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::ForgedRecord), "{error}");
}

/// What processes believe of the record of an earlier or an interrupted run: when it began, with which keys and
/// columns, that a program wrote under an old key, and which keys must not come back.
#[test]
fn a_record_that_somebody_has_changed_is_not_believed() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    let sound = unfinished(&vault);
    let conn = &mut vault.db.conn();
    let old = keyring([OLD]).primary().to_string();
    let cases = [
        ("/run/started", json!(0)),
        ("/run/newest_stale", json!(1_795_687_200)),
        ("/run/retired", json!([keyring([NEW]).primary().to_string()])),
        ("/run/scope/targets", json!(["vault (id): secret, name"])),
        ("/run/scope/keys", json!([old])),
        ("/run/scope/job", json!("Encrypt")),
        ("/run/signatures", json!([])),
    ];
    for (path, value) in cases {
        let mut document = sound.clone();
        *document.pointer_mut(path).unwrap() = value;
        write(conn, &document.to_string());
        let error = task().run(&vault.db.pool(2)).unwrap_err();
        assert_eq!(error.refusal(), Some(&Refusal::ForgedRecord), "{path}: {error}");
    }

    // The same during a run: the processes must not forget that a program still writes under an old key.
    write(conn, &sound.to_string());
    let forge = |conn: &mut Conn| {
        let mut document = document(conn);
        document["run"]["started"] = json!(0);
        write(conn, &document.to_string());
    };
    let error = run(&vault, forge).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::ForgedRecord), "{error}");

    write(conn, &sound.to_string());
    assert!(task().run(&vault.db.pool(2)).unwrap().is_proven());
}

/// Deleted problems do not make a proof without exceptions.
#[test]
fn deleted_problems_still_count() {
    let vault = Vault::shared(OLD, 1..=3);
    vault.insert(&[Row::sealed(4, 3)]);
    let report = task().run(&vault.db.pool(2)).unwrap();
    assert_eq!((report.problems().len(), report.problems_omitted()), (1, 0));
    let conn = &mut vault.db.conn();
    assert_eq!(document(conn)["run"]["phase"]["Ended"]["listed"], json!(1));
}

/// The record of a run that was stopped before it wrote anything.
fn unfinished(vault: &Vault) -> Value {
    let stop = StopHandle::default();
    stop.stop();
    assert!(!task().stop_handle(stop).run(&vault.db.pool(2)).unwrap().is_proven());
    document(&mut vault.db.conn())
}

/// A record of an unfinished run with the scope of the task, on which these changes are made.
#[test]
fn records_that_cannot_be_true() {
    let vault = Vault::shared(OLD, 1..=20);
    let program = || vault.bare_program(&["reencrypt", "--column", "vault.secret", "--lease=5"], &[NEW, OLD]);
    let mut sound = unfinished(&vault);
    let conn = &mut vault.db.conn();
    sound["run"]["chunks"] = json!([{ "range": { "table": 0, "after": null, "until": null }, "holder": null }]);
    write(conn, &sound.to_string());
    program().exits_with(0);

    let range = |after: Value| json!([{ "range": { "table": 0, "after": after, "until": null }, "holder": null }]);
    let mut more_elements_than_values = sound["run"]["tallies"][0].clone();
    more_elements_than_values["further"] = json!(1);
    let cases = [
        ("/run/tallies", json!([])),
        ("/run/tallies/0/keys", json!([1])),
        ("/run/tallies/0", more_elements_than_values),
        ("/run/tallies/0/keys", json!([u64::MAX, 1])),
        ("/run/written", json!([])),
        ("/run/written/0/rewritten", json!(u64::MAX)),
        ("/run/busy", json!([1, 2, 3])),
        ("/run/pass", json!(u32::MAX)),
        ("/run/pass", json!(0)),
        ("/run/claims", json!(u64::MAX)),
        ("/run/chunks/0/range/table", json!(7)),
        ("/run/chunks", range(json!([]))),
        ("/run/chunks", range(json!([{ "Int": 1 }, { "Int": 1 }]))),
        ("/run/left", json!([{ "table": 1, "after": null, "until": null }])),
        ("/run", json!({})),
        ("/version", json!(3)),
    ];
    for (path, value) in cases {
        let mut document = sound.clone();
        *document.pointer_mut(path).unwrap() = value.clone();
        write(conn, &document.to_string());
        let run = program().exits_with(5).says("is not one of this version").says("drop the tables");
        assert!(!run.stderr.contains("panicked"), "{path} {value}");
    }
    for text in ["", "x", "null", "[]", "{\"version\":2}"] {
        write(conn, text);
        program().exits_with(5).says("is not one of this version");
    }

    // A process that nobody has started holds everything, for ever.
    let started = Instant::now();
    for phase in [json!("Walk"), json!({ "Prove": { "process": "ghost", "worker": 0, "claim": 1 } })] {
        let mut document = sound.clone();
        document["run"]["processes"] = json!({ "ghost": { "until": u64::MAX, "is_stopped": false } });
        document["run"]["chunks"][0]["holder"] = json!({ "process": "ghost", "worker": 0, "claim": 1 });
        document["run"]["phase"] = phase;
        write(conn, &document.to_string());
        program().exits_with(0);
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}
