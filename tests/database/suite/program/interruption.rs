//! A run that is stopped or killed loses nothing, and the next run continues.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use serde_json::Value;

use super::vault::{Vault, is_under};
use super::{assert_is_report, fingerprint};
use crate::backend::SHARES;
use crate::support::runner::Running;

const OLD: u8 = 1;
const NEW: u8 = 2;
/// Enough rows that the program is still running when the test notices that it has begun.
const ROWS: i64 = 3000;
const BATCH: usize = 10;

fn start(vault: &Vault) -> Running {
    // After a kill, the next process waits for the lease to end. So the lease is short.
    vault.program(&["reencrypt", "--json", &format!("--batch-size={BATCH}"), "--lease=1"], &[NEW, OLD]).start()
}

#[track_caller]
fn a_signal_stops_it_after_the_batch(signal: &str) {
    let vault = Vault::sealed(OLD, 1..=ROWS);
    let mut running = start(&vault);
    let conn = &mut vault.db.conn();
    running.until(|| is_under(conn, 1, NEW));
    running.signal(signal);
    let run = running.wait();
    assert_eq!(run.code, 6, "{run:#?}");
    run.notes("stopping", "stopping after the current batch. Press Ctrl-C or send the signal again to stop at once");
    run.notes(
        "ended",
        "stopped on request. Run the command again to continue. Keep the old keys until the job is proven.",
    );
    // The task wrote whole batches, and it reports exactly what it wrote.
    let rows = vault.rows();
    let done = rows.iter().filter(|row| row.is_readable(&[NEW])).count();
    assert!(done > 0 && done < ROWS as usize && done % BATCH == 0, "{done} rows");
    assert!(rows[..done].iter().all(|row| row.is_readable(&[NEW])));
    assert!(rows[done..].iter().all(|row| row.is_readable(&[OLD])));
    let json = run.json();
    assert_is_report(&json, "stopped");
    assert_eq!(json["primary"], fingerprint(NEW));
    assert_eq!(json["columns"][1]["rewritten"], done);
    assert_eq!((&json["proof"], &json["doubt"]), (&Value::Null, &Value::Null));

    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(0);
    // A run that is stored in the database continues, and its report covers all of it.
    let rewritten = if SHARES { ROWS as usize } else { ROWS as usize - done };
    assert_eq!(run.json()["columns"][1]["rewritten"], rewritten);
    vault.assert_readable(&[NEW], ROWS as usize);
}

/// A run that its time limit stops says so, and says what it did: the values are no longer as it found them.
#[test]
fn a_time_limit_stops_it_and_the_report_counts_what_it_did() {
    let vault = Vault::sealed(OLD, 1..=400);
    let args = ["reencrypt", "--max-runtime", "1.5", "--max-rows-per-second", "40", "--batch-size=10"];
    let run = vault.program(&args, &[NEW, OLD]).exits_with(6);
    let done = vault.rows().iter().filter(|row| row.is_readable(&[NEW])).count();
    assert!(done > 0 && done < 400, "{done} rows");
    let rewritten = vault.rows()[..done].iter().map(|row| 1 + usize::from(row.photo.is_some())).sum::<usize>();
    let statement = format!(
        "Nothing was proven: the time limit was reached before everything was read. This process read {rewritten} \
         values of {} (photo, secret), and rewrote {rewritten} of them under the primary key {}. They were, when it read \
         them: 0 under the primary key {}, {rewritten} under secondary keys, 0 not readable.",
        vault.name(),
        fingerprint(NEW),
        fingerprint(NEW)
    );
    assert!(run.stdout.contains(&statement), "{}\n{statement}", run.stdout);
    assert_eq!(
        run.last_words(),
        "stopped by --max-runtime after 1.5 s. Run the command again to continue. Keep the old keys until the job is \
         proven."
    );
    let summary = format!("rows read, {rewritten} values rewritten in ");
    assert!(run.stderr.lines().rev().nth(1).is_some_and(|line| line.contains(&summary)), "{}", run.stderr);
}

/// A later process continues a recorded run, and does not count the rows of the first one in its rate.
#[test]
fn rows_of_an_earlier_process_are_told_apart() {
    use diesel_encrypted::reencrypt::{StopHandle, Task};

    let vault = Vault::shared(OLD, 1..=ROWS);
    let task = || {
        Task::new(crate::support::keys::keyring([NEW, OLD])).target("vault.secret".parse().unwrap()).batch_size(BATCH)
    };
    let stop = StopHandle::default();
    let pool = vault.db.pool(3);
    let handle = stop.clone();
    let first = task().stop_handle(stop).max_rows_per_second(500).on_progress(move |progress| {
        assert_eq!(progress.rows_before, 0);
        if progress.rewritten > 0 {
            handle.stop();
        }
    });
    let _ = first.run(&pool).unwrap();
    let mut seen = Vec::new();
    let second = task().on_progress(|progress| seen.push((progress.is_proving, progress.rows_before, progress.rows)));
    assert!(second.run(&pool).unwrap().old_keys_may_go());
    let mut walked = seen.iter().filter(|(is_proving, before, _)| !is_proving && *before > 0);
    let last = walked.next_back().expect("the second process knows of the first");
    assert_eq!(last.1 + last.2, ROWS as u64, "{last:?}");
    assert!(seen.iter().filter(|(is_proving, ..)| *is_proving).all(|(_, before, _)| *before == 0));
}

#[test]
fn ctrl_c() {
    a_signal_stops_it_after_the_batch("INT");
}

#[test]
fn sigterm() {
    a_signal_stops_it_after_the_batch("TERM");
}

fn random(range: Range<i64>) -> i64 {
    let random = RandomState::new().build_hasher().finish();
    range.start + (random % (range.end - range.start) as u64) as i64
}

/// The test kills process after process, each one further on.
#[test]
fn kill_9_loses_nothing() {
    let vault = Vault::sealed(OLD, 1..=ROWS);
    let conn = &mut vault.db.conn();
    for round in 0..4 {
        let row = random(round * 500 + 1..(round + 1) * 500);
        let mut running = start(&vault);
        running.until(|| is_under(conn, row, NEW));
        running.signal("KILL");
        let run = running.wait();
        assert_eq!((run.code, run.stdout.as_str()), (-1, ""), "killed after row {row}");
        // Uses the new and the old order of keys in turn, as different processes of an application may have it.
        let keys = if round % 2 == 0 { [NEW, OLD] } else { [OLD, NEW] };
        vault.assert_readable(&keys, ROWS as usize);
    }
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    vault.assert_readable(&[NEW], ROWS as usize);
    vault.program(&["status"], &[NEW]).exits_with(0);
}
