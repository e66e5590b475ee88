//! `pause`, `resume` and `stop`: the processes of a run obey, and a process that does not fit is refused.

use diesel::connection::SimpleConnection;
use serde_json::json;

use super::vault::{Vault, is_under};
use crate::backend::{SHARES, TEXT};
use crate::support::runner::{Program, Running};

const OLD: u8 = 1;
const NEW: u8 = 2;
/// Enough rows, at the given rate, that the program is still running when it receives the command.
const ROWS: i64 = 600;
const RATE: &str = "--max-rows-per-second=200";
/// The program prints this while it waits for `resume`.
const PAUSED: &str = "paused: run `diesel-encrypted resume` to continue";

fn worker(vault: &Vault) -> Program {
    vault.program(&["reencrypt", "--json", RATE], &[NEW, OLD])
}

/// Starts a process and waits until it writes.
fn started(vault: &Vault) -> Running {
    let mut running = worker(vault).start();
    let conn = &mut vault.db.conn();
    running.until(|| is_under(conn, 1, NEW));
    running
}

/// Runs a command and returns the names of the processes that received it.
#[track_caller]
fn ask(vault: &Vault, command: &str) -> Vec<String> {
    let run = vault.bare_program(&[command], &[]).exits_with(0);
    let (_, names) = run.stdout.trim_end().split_once(": ").unwrap();
    names.split(", ").map(str::to_owned).collect()
}

fn done(vault: &Vault) -> usize {
    vault.rows().iter().filter(|row| row.is_readable(&[NEW])).count()
}

/// Starts two processes. The second one joins while the first one is paused.
#[track_caller]
fn two_that_wait(vault: &Vault) -> [Running; 2] {
    let mut first = started(vault);
    assert_eq!(ask(vault, "pause").len(), 1);
    first.until_it_says(PAUSED);
    let mut second = worker(vault).start();
    second.until_it_says(PAUSED);
    [first, second]
}

/// Records a problem that an earlier run found in another table. It must not appear in the reports of this run.
fn record_a_problem_elsewhere(vault: &Vault) {
    let sql = format!("create table elsewhere (id int not null primary key, secret {TEXT})");
    vault.db.conn().batch_execute(&sql).unwrap();
    vault.db.conn().batch_execute("insert into elsewhere values (1, 'plaintext of 1')").unwrap();
    vault.bare_program(&["reencrypt", "--column", "elsewhere.secret"], &[NEW, OLD]).exits_with(4);
}

#[test]
fn a_pause_stops_all_processes_until_they_resume_and_share_the_rest() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    record_a_problem_elsewhere(&vault);
    let running = two_that_wait(&vault);
    let before = done(&vault);
    assert!(before > 0 && before < ROWS as usize, "{before} rows are done");
    let status = vault.program(&["status", "--json"], &[NEW, OLD]).exits_with(3).json();
    assert_eq!((&status["run"]["is_paused"], &status["run"]["pass"]), (&json!(true), &json!(1)));
    assert_eq!(status["run"]["job"], "re-encrypting");
    assert_eq!(status["run"]["processes"].as_array().unwrap().len(), 2);
    let status = vault.program(&["status"], &[NEW, OLD]).exits_with(3);
    assert!(status.stdout.contains("Paused: re-encrypting, pass 1. Processes: "), "{}", status.stdout);
    assert_eq!(done(&vault), before);

    assert_eq!(ask(&vault, "resume").len(), 2);
    let [first, second] = running.map(|running| {
        let run = running.wait();
        assert_eq!(run.code, 0, "{run:#?}");
        run.json()
    });
    assert_eq!(first, second);
    assert_eq!(first["problems"], json!([]));
    let rewritten = [0, 1].map(|column| first["columns"][column]["rewritten"].as_u64().unwrap());
    assert_eq!(rewritten, [ROWS as u64 - ROWS as u64 / 3, ROWS as u64]);
    assert_eq!(first["proof"]["values"], rewritten[0] + rewritten[1]);
    vault.assert_readable(&[NEW], ROWS as usize);
}

#[test]
fn a_stop_ends_the_running_processes_and_no_others() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    let running = two_that_wait(&vault);
    assert_eq!(ask(&vault, "stop").len(), 2);
    for running in running {
        let run = running.wait();
        assert_eq!(run.code, 6, "{run:#?}");
        assert_eq!(run.json()["outcome"], "stopped");
    }
    assert!(done(&vault) < ROWS as usize);
    vault.bare_program(&["resume"], &[]).exits_with(5);
    // Neither the stop nor the pause applies to the next process.
    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(0);
    assert_eq!(run.json()["columns"][1]["rewritten"], ROWS);
    vault.assert_readable(&[NEW], ROWS as usize);
}

#[test]
fn other_keys_and_other_columns_are_refused_during_a_run() {
    let vault = Vault::shared(OLD, 1..=ROWS);
    let mut first = started(&vault);
    ask(&vault, "pause");
    first.until_it_says(PAUSED);
    let other_keys = "is re-encrypting with other keys: ";
    for keys in [&[OLD, NEW][..], &[NEW], &[NEW, OLD, 3]] {
        let run = vault.program(&["reencrypt", "--json"], keys).exits_with(5);
        assert_eq!(run.json()["outcome"], "refused");
        assert!(run.stderr.contains(other_keys) || keys == [NEW], "{}", run.stderr);
    }
    let other_columns = vault.bare_program(&["reencrypt", "--column", "vault.secret"], &[NEW, OLD]);
    other_columns.exits_with(5).says("is re-encrypting other columns: ").says("Name the same columns");
    ask(&vault, "resume");
    assert_eq!(first.wait().code, 0);
    vault.assert_readable(&[NEW], ROWS as usize);
}

#[test]
fn nobody_is_there_to_be_asked() {
    let refused = |vault: &Vault| {
        for command in ["pause", "resume", "stop"] {
            let run = vault.bare_program(&[command], &[]).exits_with(5);
            assert_eq!(run.stdout, "");
            run.says("no process is working on this database now").says("SIGTERM");
        }
    };
    let without_tables = Vault::sealed(OLD, 1..=5);
    refused(&without_tables);
    let vault = Vault::shared(OLD, 1..=5);
    refused(&vault);
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    refused(&vault);
}

#[test]
fn a_stateless_task_leaves_no_tables_behind() {
    let vault = Vault::sealed(OLD, 1..=5);
    vault.program(&["reencrypt", "--stateless"], &[NEW, OLD]).exits_with(0);
    vault.bare_program(&["problems"], &[]).exits_with(5).says("nothing was ever recorded here");
    // The tables exist by default, but not on SQLite.
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    vault.bare_program(&["problems"], &[]).exits_with(if SHARES { 0 } else { 5 });
}
