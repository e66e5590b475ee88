//! The shared state of a journey.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use time::OffsetDateTime;

use super::stages::Stage;
use crate::backend::{Conn, TestDatabase, connect};
use crate::support::failures::Failures;
use crate::support::session::Session;

/// The number of instances of the application.
pub const INSTANCES: usize = 4;
/// The instance that gets a new version last.
pub const LAST: usize = 0;
/// Longer than any step of an instance takes, even while a table is locked.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub db: TestDatabase,
    /// The migrations of the application.
    pub migrations: TempDir,
    /// The number of rows at the beginning. Their keys are the numbers from 1.
    pub rows: i64,
    pub instances: [Instance; INSTANCES],
    pub transactions: AtomicU64,
    pub compared: AtomicU64,
    /// Instances hold it shared while they write.
    turns: RwLock<()>,
    /// Whether the last instance writes to the hot row only.
    is_hot: AtomicBool,
    hot_commit: AtomicI64,
    is_over: AtomicBool,
    pub failures: Failures,
    /// A time when every instance read tokens, but none had written any.
    pub reads_tokens: OnceLock<String>,
}

pub struct Instance {
    stage: Mutex<Stage>,
    /// How many transactions it has completed.
    done: AtomicU64,
}

impl World {
    pub fn new(rows: i64) -> Self {
        Self {
            db: TestDatabase::new(),
            migrations: tempfile::tempdir().unwrap(),
            rows,
            instances: std::array::from_fn(|_| Instance { stage: Mutex::new(Stage::Plain), done: AtomicU64::new(0) }),
            transactions: AtomicU64::new(0),
            compared: AtomicU64::new(0),
            turns: RwLock::new(()),
            is_hot: AtomicBool::new(false),
            hot_commit: AtomicI64::new(0),
            is_over: AtomicBool::new(false),
            failures: Failures::default(),
            reads_tokens: OnceLock::new(),
        }
    }

    pub fn session(&self) -> Session<Conn> {
        Session::new(connect, self.db.url())
    }

    /// Deploys a version to every instance, one after the other.
    pub fn deploy(&self, stage: Stage) {
        self.deploy_but_last(stage);
        self.deploy_to(LAST, stage);
    }

    /// Deploys a version to all instances but the last.
    pub fn deploy_but_last(&self, stage: Stage) {
        (0..INSTANCES).filter(|number| *number != LAST).for_each(|number| self.deploy_to(number, stage));
    }

    /// All instances write while some have the new version and others do not.
    fn deploy_to(&self, number: usize, stage: Stage) {
        *self.instances[number].stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.settle();
    }

    /// Waits until every instance has completed a transaction that it began after this call.
    pub fn settle(&self) {
        let before: Vec<u64> = self.instances.iter().map(Instance::done).collect();
        let deadline = Instant::now() + PATIENCE;
        let has_continued = |(instance, before): (&Instance, &u64)| instance.done() >= before + 3;
        while !self.is_over() && !self.instances.iter().zip(&before).all(has_continued) {
            assert!(Instant::now() < deadline, "an instance of the application does not continue");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs `work` while one instance writes to the hot row as fast as it can.
    pub fn while_hot<T>(&self, work: impl FnOnce() -> T) -> T {
        self.is_hot.store(true, Relaxed);
        self.settle();
        let result = work();
        self.is_hot.store(false, Relaxed);
        self.settle();
        result
    }

    pub fn is_hot(&self) -> bool {
        self.is_hot.load(Relaxed)
    }

    /// When the hot row was last written, in milliseconds since 1970. To be called within `in_quiet`.
    pub fn hot_commit(&self) -> i64 {
        self.hot_commit.load(Relaxed)
    }

    pub fn note_hot_commit(&self) {
        self.hot_commit.store((OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64, Relaxed);
    }

    /// Runs `work` while no instance is in a transaction.
    pub fn in_quiet<T>(&self, work: impl FnOnce() -> T) -> T {
        let _quiet = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Runs `work` of an instance, as soon as nobody needs quiet.
    pub fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Relaxed) || !self.failures.is_empty()
    }

    pub fn fail(&self, failure: String) {
        self.failures.add(failure);
    }
}

impl Instance {
    pub fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn end(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }
}

/// Ends the journey when it is dropped. After a panic, the instances would otherwise never end.
pub struct End<'a>(pub &'a World);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Relaxed);
    }
}
