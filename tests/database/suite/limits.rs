//! Limits on a task, except those on replicas, which have their own tests.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use diesel_encrypted::reencrypt::{Outcome, Progress, StopHandle};

use super::people::People;
use super::program::vault::{Vault, is_under};
use crate::support::runner::write;

/// All progress that the observer of a task received.
#[derive(Clone, Default)]
struct Observed(Arc<Mutex<Vec<Progress>>>);

impl Observed {
    fn on_progress(&self) -> impl FnMut(&Progress) + Send + 'static {
        let observed = Arc::clone(&self.0);
        move |progress| observed.lock().unwrap().push(progress.clone())
    }

    fn reasons(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().filter_map(|progress| progress.waits_for.clone()).collect()
    }

    fn until(&self, reason: &str) {
        while !self.reasons().iter().any(|seen| seen == reason) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_rate_limits_the_task() {
    let people = People::new(1, 1..=30);
    let observed = Observed::default();
    let task = people.task([2, 1]).max_rows_per_second(60).batch_size(5).on_progress(observed.on_progress());
    let report = people.run(task, 2);
    assert_eq!((report.outcome(), report.passes()), (Outcome::Proven, 1));
    assert!(observed.reasons().contains(&"60 rows/s".to_owned()));
    assert!(observed.0.lock().unwrap().last().unwrap().elapsed >= Duration::from_millis(500));
}

#[test]
fn a_nice_task_leaves_the_database_idle() {
    let people = People::new(1, 1..=30);
    let stop = StopHandle::default();
    let observed = Observed::default();
    let task =
        people.task([2, 1]).nice(1000.0).batch_size(1).stop_handle(stop.clone()).on_progress(observed.on_progress());
    thread::scope(|scope| {
        let run = scope.spawn(|| people.run(task, 1));
        observed.until("nice 1000");
        stop.stop();
        assert_eq!(run.join().unwrap().outcome(), Outcome::Stopped);
    });
}

#[test]
fn a_pause_file_pauses_the_task() {
    let people = People::new(1, 1..=30);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pause");
    write(&file, "");
    let observed = Observed::default();
    let task = people.task([2, 1]).pause_file(&file).on_progress(observed.on_progress());
    let before = people.raw();
    thread::scope(|scope| {
        let run = scope.spawn(|| people.run(task, 1));
        observed.until(&format!("the file {} exists", file.display()));
        assert_eq!(people.raw(), before);
        std::fs::remove_file(&file).unwrap();
        assert!(run.join().unwrap().is_proven());
    });
}

/// Nothing can tell whether a file exists whose folder is a file.
#[test]
fn an_unusable_pause_file_pauses_the_task() {
    let people = People::new(1, 1..=30);
    let (stop, observed) = (StopHandle::default(), Observed::default());
    let file = Path::new("/dev/null/pause");
    let task = people.task([2, 1]).pause_file(file).stop_handle(stop.clone()).on_progress(observed.on_progress());
    thread::scope(|scope| {
        let run = scope.spawn(|| people.run(task, 1));
        while !observed
            .reasons()
            .iter()
            .any(|reason| reason.starts_with("it is unknown whether the file /dev/null/pause exists"))
        {
            thread::sleep(Duration::from_millis(10));
        }
        stop.stop();
        assert_eq!(run.join().unwrap().outcome(), Outcome::Stopped);
    });
}

/// A run of the program that pauses for a file until its time is over.
#[test]
fn a_limit_on_the_run_time() {
    let vault = Vault::sealed(1, 1..=20);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pause");
    write(&file, "");
    let args = ["reencrypt", "--max-runtime", "0.5", "--pause-file", file.to_str().unwrap()];
    let run = vault.program(&args, &[2, 1]).exits_with(6);
    run.says("the time limit of 0.5 s is reached")
        .says("stopped by --max-runtime after 0.5 s. Run the command again to continue.");
    assert!(is_under(&mut vault.db.conn(), 1, 1), "nothing is written");
    vault.program(&["reencrypt", "--max-runtime", "600", "--nice", "0.1"], &[2, 1]).exits_with(0);
    assert!(is_under(&mut vault.db.conn(), 1, 2));
}
