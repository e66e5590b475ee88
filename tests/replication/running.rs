//! A task that runs on a thread of its own, and what it last told.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};
use diesel_encrypted::reencrypt::{Dialect, Outcome, Progress, Report, StopHandle, Task};
use diesel_encrypted::{Key, Keyring, TableName, Target};

use crate::private_server::PASSWORD;

/// Rows of the table `people`.
const ROWS: u64 = 1000;
/// Longer than a task has to wait for anything here.
const DEADLINE: Duration = Duration::from_secs(60);

/// The keys of a test, and the tokens of its table.
pub struct Keys {
    old: Key,
    new: Key,
}

pub struct Running {
    told: Arc<Mutex<Option<Progress>>>,
    stop: StopHandle,
    thread: JoinHandle<Report>,
}

impl Keys {
    pub fn new() -> Self {
        Self { old: Key::generate(), new: Key::generate() }
    }

    /// Statements that make the table anew, with every value under the old key.
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
        let (told, stop) = (Arc::new(Mutex::new(None)), StopHandle::default());
        let latest = Arc::clone(&told);
        let task = Task::new(Keyring::new([self.new.clone(), self.old.clone()]).unwrap())
            .target(Target::named(TableName::new("people"), ["secret"]).unwrap())
            .stop_handle(stop.clone())
            .on_progress(move |progress| *latest.lock().unwrap() = Some(progress.clone()));
        let task = limit(task);
        Running { told, stop, thread: thread::spawn(move || task.run(&pool).unwrap()) }
    }
}

impl Running {
    /// Waits until the task tells what is looked for.
    #[track_caller]
    pub fn until(&self, is_so: impl Fn(&Progress) -> bool) -> Progress {
        let started = Instant::now();
        loop {
            let told = self.told.lock().unwrap().clone();
            if let Some(told) = told.clone().filter(&is_so) {
                return told;
            }
            assert!(!self.thread.is_finished() && started.elapsed() < DEADLINE, "{told:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the task waits for this reason; it must not quote a password.
    #[track_caller]
    pub fn until_held(&self, reason: &str) -> Progress {
        let held = self.until(|progress| progress.waits_for.as_ref().is_some_and(|waiting| waiting.contains(reason)));
        let waiting = held.waits_for.as_deref().unwrap_or_default();
        assert!(!waiting.contains(PASSWORD) && !waiting.contains("pass%40"), "{waiting}");
        held
    }

    /// The task is held from the start for this reason: nothing is written.
    #[track_caller]
    pub fn held_from_the_start(self, reason: &str) {
        self.until_held(reason);
        let report = self.stopped();
        assert_eq!((report.outcome(), report.columns()[0].scanned), (Outcome::Stopped, 0));
    }

    /// The task is held in the middle for this reason: it walks no further.
    #[track_caller]
    pub fn stays_held(&self, reason: &str) -> Progress {
        self.until_held(reason);
        // A page that was begun is finished.
        let held = self.later(Duration::from_millis(300));
        let later = self.later(Duration::from_millis(500));
        assert!(0 < held.rewritten && held.rewritten < ROWS, "{held:?}");
        assert_eq!((held.rows, held.rewritten), (later.rows, later.rewritten), "{later:?}");
        later
    }

    /// The task walks on from here.
    #[track_caller]
    pub fn goes_on_from(self, held: &Progress) {
        self.until(|progress| progress.rewritten > held.rewritten);
        assert_eq!(self.stopped().outcome(), Outcome::Stopped);
    }

    /// The task runs to its end.
    #[track_caller]
    pub fn proves_it(self) {
        let report = self.thread.join().unwrap();
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, ROWS));
    }

    /// What the task tells when it has run for so much longer.
    fn later(&self, time: Duration) -> Progress {
        let now = self.until(|_| true).elapsed;
        self.until(|progress| progress.elapsed >= now + time)
    }

    fn stopped(self) -> Report {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}
