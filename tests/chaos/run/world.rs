//! The shared state of a run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::keys::Keys;
use super::planted::Planted;
use crate::backend::{Conn, SERVER, TestDatabase, connect, database, other_nodes};
use crate::support::failures::Failures;
use crate::support::proxy::Proxy;
use crate::support::session::Session;

pub struct World {
    pub db: TestDatabase,
    pub keys: Keys,
    pub planted: Planted,
    pub counts: Counts,
    /// A proxy for the server, whose connections can be cut.
    pub proxy: Option<Proxy>,
    /// The first of the hot rows.
    pub hot: AtomicUsize,
    /// The session that must not be terminated.
    pub spared: AtomicI64,
    /// The number of writers that may still store tokens under the old key.
    old_writers: AtomicUsize,
    given_up: OnceLock<OffsetDateTime>,
    /// Whether an open transaction has stored a token under the old key.
    pub straggles: AtomicBool,
    beginning: Instant,
    time: Duration,
    pub failures: Failures,
}

#[derive(Default)]
pub struct Counts {
    pub operations: AtomicU64,
    /// Commits whose answer was lost. The journal contains them.
    pub unanswered: AtomicU64,
    pub reads: AtomicU64,
    pub runs: AtomicU64,
    pub proofs: AtomicU64,
    /// The proofs that must stay true, because no writer stored tokens under the old key any more.
    pub lasting: AtomicU64,
    pub kills: AtomicU64,
    pub stops: AtomicU64,
    pub cuts: AtomicU64,
    pub terminations: AtomicU64,
    pub restarts: AtomicU64,
    /// How often another table got the name of the table.
    pub replaced: AtomicU64,
}

impl World {
    pub fn new(keys: Keys, old_writers: usize, time: Duration) -> Self {
        let db = database();
        Self {
            proxy: SERVER.map(|_| Proxy::to(&db.url())),
            db,
            keys,
            planted: Planted::default(),
            counts: Counts::default(),
            hot: AtomicUsize::new(0),
            spared: AtomicI64::new(0),
            old_writers: AtomicUsize::new(old_writers),
            given_up: OnceLock::new(),
            straggles: AtomicBool::new(false),
            beginning: Instant::now(),
            time,
            failures: Failures::default(),
        }
    }

    /// The URL of the database, through the proxy if there is one.
    pub fn shaky_url(&self) -> String {
        self.proxy.as_ref().map_or_else(|| self.db.url(), Proxy::url)
    }

    /// The URL of the database on another node, if there is one.
    pub fn far_url(&self) -> String {
        other_nodes(&self.db).pop().unwrap_or_else(|| self.db.url())
    }

    pub fn session(&self) -> Session<Conn> {
        Session::new(connect, self.db.url())
    }

    /// Whether the storm is over.
    pub fn is_over(&self) -> bool {
        !self.failures.is_empty() || Instant::now() >= self.moment(1.0)
    }

    /// The moment after this share of the time.
    pub fn moment(&self, share: f64) -> Instant {
        self.beginning + self.time.mul_f64(share)
    }

    /// The moment when the application stops using the old primary key.
    pub fn turn(&self) -> Instant {
        self.moment(0.3)
    }

    pub fn fail(&self, failure: String) {
        self.failures.add(failure);
    }

    /// One writer has stopped storing tokens under the old key. Its last transaction has ended.
    pub fn give_up(&self) {
        if self.old_writers.fetch_sub(1, AcqRel) == 1 {
            let _ = self.given_up.set(OffsetDateTime::now_utc());
        }
    }

    /// The moment when the last writer stopped.
    pub fn given_up(&self) -> Option<OffsetDateTime> {
        self.given_up.get().copied()
    }
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
