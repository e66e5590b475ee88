//! Stopped tasks that continue, on the databases that store the progress of a run by default.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Job, Outcome, Progress, StopHandle};

use crate::backend::TEXT;
use crate::suite::traps::{interfere, is_under, rows, table, task};

/// The task stops when it has read two pages but not written them. The next task continues before these pages.
#[test]
fn a_cursor_saved_before_the_work() {
    let db = table(TEXT);
    let stop = StopHandle::default();
    let report = interfere(&db, task().stop_handle(stop.clone()), 2, |_| stop.stop());
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Stopped, 16));
    let rest = task().run(&db.pool(1)).unwrap();
    assert_eq!((rest.outcome(), rest.columns()[0].rewritten), (Outcome::Proven, 100));
    assert!(rows(&mut db.conn(), "true").iter().all(|row| is_under(row, 2)));
    // If the task had skipped a row, the proof would have found it, and another pass would have followed.
    assert_eq!(rest.passes(), 1);
}

/// Two jobs that would undo each other's work.
#[test]
fn another_job_at_the_same_time() {
    let db = table(TEXT);
    let report = interfere(&db, task(), 2, |_| {
        for (job, theirs) in [(Job::Encrypt, "encrypting"), (Job::Decrypt, "decrypting")] {
            let error = task().job(job).run(&db.pool(1)).unwrap_err();
            assert!(error.is_refused(), "{error}");
            let (start, end) =
                ("another process (", format!(") is re-encrypting this database, and this one would be {theirs} it"));
            assert!(error.to_string().starts_with(start) && error.to_string().contains(&end), "{error}");
        }
    });
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 100));
    // They may run one after the other.
    assert!(task().job(Job::Decrypt).run(&db.pool(1)).unwrap().is_proven());
}

/// Somebody empties the tables of the task. Completed work is safe.
#[test]
fn a_run_whose_row_is_gone() {
    let db = table(TEXT);
    let mut operator = db.conn();
    let observer = |_: &Progress| operator.batch_execute("delete from __diesel_encrypted_run").unwrap();
    let error = task().on_progress(observer).run(&db.pool(2)).unwrap_err();
    assert!(
        error.is_refused() && error.to_string().ends_with("Completed work is safe: run the task again to continue"),
        "{error}"
    );
    assert!(error.report().is_some());
    assert!(task().run(&db.pool(2)).unwrap().is_proven());
}
