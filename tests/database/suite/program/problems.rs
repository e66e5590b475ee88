//! `problems` lists the problems of the last run until somebody fixes them.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::vault::{Row, Vault, vault};
use super::{cells, is_recent};

const OLD: u8 = 1;
const NEW: u8 = 2;
const UNKNOWN: u8 = 3;

fn vault_with_bad_values() -> Vault {
    let vault = Vault::shared(OLD, 1..=30);
    let bad = [Row::sealed(40, UNKNOWN), Row::new(41, Some("plaintext of 41"), None)];
    vault.insert(&bad);
    vault
}

fn problem(vault: &Vault, column: &str, row: i64, kind: &str) -> Value {
    json!({ "table": vault.name(), "column": column, "row": format!("id={row}"), "kind": kind })
}

/// Returns the recorded problems. The exit code says whether there are any.
#[track_caller]
fn recorded(vault: &Vault) -> Vec<Value> {
    let run = vault.bare_program(&["problems", "--json"], &[]).run();
    let json = run.json();
    assert_eq!((&json["recorded"], &json["problems_omitted"]), (&json!(true), &json!(0)));
    assert!(is_recent(&json["moment"]), "{json}");
    let problems = json["problems"].as_array().unwrap().clone();
    assert_eq!(run.code, if problems.is_empty() { 0 } else { 4 });
    problems
}

fn fix(vault: &Vault, id: i64) {
    let row = Row::sealed(id, NEW);
    let fixed = (vault::secret.eq(row.secret), vault::photo.eq(row.photo));
    diesel::update(vault::table.find(id)).set(fixed).execute(&mut vault.db.conn()).unwrap();
}

#[test]
fn bad_values_are_listed_until_they_are_fixed() {
    let vault = vault_with_bad_values();
    let reencrypt = |code| vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(code).json();
    let report = reencrypt(4);
    let all = [
        problem(&vault, "photo", 40, "unreadable"),
        problem(&vault, "secret", 40, "unreadable"),
        problem(&vault, "secret", 41, "plaintext"),
    ];
    assert_eq!((recorded(&vault), &report["problems"]), (all.to_vec(), &json!(all)));

    fix(&vault, 41);
    reencrypt(4);
    assert_eq!(recorded(&vault), all[..2]);

    let run = vault.bare_program(&["problems"], &[]).exits_with(4);
    let table = format!("{}\n\n", run.stdout);
    let columns = ["photo", "secret"].map(|column| format!("{}.{column}", vault.name()));
    let expected =
        [["column", "row", "problem"], [&columns[0], "id=40", "unreadable"], [&columns[1], "id=40", "unreadable"]];
    assert_eq!(cells(&table), expected);
    run.says("2 problems are recorded. The last run read every value at ");

    fix(&vault, 40);
    reencrypt(0);
    assert_eq!(recorded(&vault), Vec::<Value>::new());
    let run = vault.bare_program(&["problems"], &[]).exits_with(0);
    assert_eq!(run.stdout, "");
    run.says("no problem is recorded. The last run read every value at ");
}

/// A run reports on its own columns only, and keeps the record of the others.
#[test]
fn the_record_of_other_columns_stays() {
    let vault = vault_with_bad_values();
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(4);
    let all = recorded(&vault);
    for id in [40, 41] {
        fix(&vault, id);
    }
    let secret = vault.bare_program(&["reencrypt", "--json", "--column", "vault.secret"], &[NEW, OLD]);
    assert_eq!(secret.exits_with(0).json()["problems"], json!([]));
    assert_eq!(recorded(&vault), all[..1]);
}

/// The problems that a run has found so far are known before it ends.
#[test]
fn a_run_that_did_not_end() {
    let vault = Vault::shared(OLD, 1..=1000);
    vault.insert(&[Row::new(0, Some("plaintext of 0"), None)]);
    let mut running = vault.program(&["reencrypt", "--max-rows-per-second=200"], &[NEW, OLD]).start();
    let conn = &mut vault.db.conn();
    running.until(|| super::vault::is_under(conn, 1, NEW));
    running.signal("TERM");
    assert_eq!(running.wait().code, 6);
    let run = vault.bare_program(&["problems", "--json"], &[]).exits_with(4);
    assert_eq!(run.json()["problems"], json!([problem(&vault, "secret", 0, "plaintext")]));
    assert_eq!(run.json()["moment"], Value::Null);
    run.notes("ended", "1 problem is recorded. The last run did not end");
}

#[test]
fn nothing_was_ever_recorded() {
    for vault in [Vault::sealed(OLD, 1..=5), Vault::shared(OLD, 1..=5)] {
        let run = vault.bare_program(&["problems", "--json"], &[]).exits_with(5);
        let expected = json!({ "recorded": false, "moment": null, "problems": [], "problems_omitted": 0 });
        assert_eq!(run.json(), expected);
        run.notes("failed", "nothing was ever recorded here");
    }
}
