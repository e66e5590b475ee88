//! A task that runs on a thread of its own, and its latest progress.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};
use diesel_encrypted::reencrypt::{Dialect, Outcome, Progress, Report, StopHandle, Task};
use diesel_encrypted::{Key, Keyring, TableName, Target};

use crate::support::private_server::PASSWORD;

/// Number of rows in the table `people`.
const ROWS: u64 = 1000;
/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// The keys of a test, which encrypt the values of its table.
pub struct Keys {
    old: Key,
    new: Key,
}

pub struct Running {
    latest: Arc<Mutex<Option<Progress>>>,
    stop: StopHandle,
    thread: JoinHandle<Report>,
}

impl Keys {
    pub fn new() -> Self {
        Self { old: Key::generate(), new: Key::generate() }
    }

    /// Returns statements that create the table again, with every value under the old key.
    pub fn table(&self) -> String {
        let keyring = Keyring::new([self.old.clone()]).unwrap();
        let rows = (1..=ROWS).map(|id| format!("({id}, '{}')", keyring.encrypt(b"value")));
        let rows = rows.collect::<Vec<_>>().join(", ");
        format!(
            "drop table if exists people; create table people (id bigint primary key, secret text not null); \
             insert into people values {rows}"
        )
    }

    /// Starts a task with the limits that `limit` gives it.
    pub fn start<C>(&self, url: &str, limit: impl FnOnce(Task<'static>) -> Task<'static>) -> Running
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let pool = Pool::builder().max_size(2).build(ConnectionManager::<C>::new(url)).unwrap();
        let (latest, stop) = (Arc::new(Mutex::new(None)), StopHandle::default());
        let observed = Arc::clone(&latest);
        let task = Task::new(Keyring::new([self.new.clone(), self.old.clone()]).unwrap())
            .target(Target::named(TableName::new("people"), ["secret"]).unwrap())
            .stop_handle(stop.clone())
            .on_progress(move |progress| *observed.lock().unwrap() = Some(progress.clone()));
        let task = limit(task);
        Running { latest, stop, thread: thread::spawn(move || task.run(&pool).unwrap()) }
    }
}

impl Running {
    /// Waits until the progress meets a condition.
    #[track_caller]
    pub fn until(&self, is_so: impl Fn(&Progress) -> bool) -> Progress {
        let started = Instant::now();
        loop {
            let latest = self.latest.lock().unwrap().clone();
            if let Some(latest) = latest.clone().filter(&is_so) {
                return latest;
            }
            assert!(!self.thread.is_finished() && started.elapsed() < DEADLINE, "{latest:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the task pauses for this reason. The reason must not contain a password.
    #[track_caller]
    pub fn until_paused(&self, reason: &str) -> Progress {
        let paused = self.until(|progress| progress.waits_for.as_ref().is_some_and(|waiting| waiting.contains(reason)));
        let waiting = paused.waits_for.as_deref().unwrap_or_default();
        assert!(!waiting.contains(PASSWORD) && !waiting.contains("pass%40"), "{waiting}");
        paused
    }

    /// Checks that the task pauses for this reason at its start, before it writes anything.
    #[track_caller]
    pub fn stays_paused_from_the_start(self, reason: &str) {
        self.until_paused(reason);
        let report = self.stopped();
        assert_eq!((report.outcome(), report.columns()[0].scanned), (Outcome::Stopped, 0));
    }

    /// Checks that the task pauses in the middle for this reason, and stays paused.
    #[track_caller]
    pub fn stays_paused(&self, reason: &str) -> Progress {
        self.until_paused(reason);
        // The task first completes the batch that it has begun.
        let paused = self.later(Duration::from_millis(300));
        let later = self.later(Duration::from_millis(500));
        assert!(0 < paused.rewritten && paused.rewritten < ROWS, "{paused:?}");
        assert_eq!((paused.rows, paused.rewritten), (later.rows, later.rewritten), "{later:?}");
        later
    }

    /// Checks that the task continues from here.
    #[track_caller]
    pub fn continues_from(self, paused: &Progress) {
        self.until(|progress| progress.rewritten > paused.rewritten);
        assert_eq!(self.stopped().outcome(), Outcome::Stopped);
    }

    /// Checks that the task completes with a proof.
    #[track_caller]
    pub fn ends_with_a_proof(self) {
        let report = self.thread.join().unwrap();
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, ROWS));
    }

    /// Returns the progress after the task has run for so much longer.
    fn later(&self, time: Duration) -> Progress {
        let now = self.until(|_| true).elapsed;
        self.until(|progress| progress.elapsed >= now + time)
    }

    fn stopped(self) -> Report {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}
