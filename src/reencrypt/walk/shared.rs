//! What the workers of a walk share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::database::clock::DatabaseClock;
use crate::database::stop::StopHandle;
use crate::database::table::PlannedTable;
use crate::keys::keyring::Keyring;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::problem::{Problem, Problems};
use crate::reencrypt::report::tally::{Tally, Written};
use crate::reencrypt::run::rules::{ClaimNumber, LEFT, Range};
use crate::reencrypt::run::store::Store;
use crate::reencrypt::throttle::pulse::Pulse;
use crate::reencrypt::throttle::rate::Throttle;
use crate::reencrypt::walk::pace::Pace;

/// What every walk of a process has in common.
pub(crate) struct Walker<'a> {
    pub(crate) tables: &'a [PlannedTable],
    pub(crate) job: Job,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) store: &'a Store<'a>,
    pub(crate) throttle: &'a Throttle,
    pub(crate) batch: Option<usize>,
    pub(crate) clock: DatabaseClock,
    pub(crate) stop: StopHandle,
}

/// What a walk does with values that are not as the job wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Counts them, and says where they are.
    Read,
    /// Makes what they are to be, and throws it away.
    DryRun,
    /// Writes them.
    Write,
}

/// What a walk of this process came across.
pub(crate) struct Found {
    pub(crate) problems: Problems,
    /// Values that are left to be written, if the walk only read, and where they are.
    pub(crate) stale: Problems,
    pub(crate) stale_ranges: Vec<Range>,
    /// One entry per column of the plan.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) written: Vec<Written>,
}

/// Where a walk is, for the caller's eyes.
pub(crate) struct Counters {
    pub(crate) pass: AtomicU32,
    pub(crate) is_proving: AtomicBool,
    pub(crate) table: AtomicUsize,
    /// Of this pass, one entry per table.
    pub(crate) rows: Vec<AtomicU64>,
    pub(crate) rows_read: AtomicU64,
    pub(crate) rewritten: AtomicU64,
    /// Of this pass.
    pub(crate) bad: AtomicU64,
}

/// What the workers of a walk share.
pub(crate) struct Shared<'a> {
    pub(crate) walker: &'a Walker<'a>,
    pub(crate) mode: Mode,
    pub(crate) pace: Pace,
    pub(crate) pulse: Pulse<'a>,
    pub(crate) counters: &'a Counters,
    /// Readable and unreadable tokens per table and column.
    pub(crate) seen: Mutex<Vec<Vec<(u64, u64)>>>,
    pub(crate) found: Mutex<Found>,
    pub(crate) lost: Mutex<BTreeSet<ClaimNumber>>,
    pub(crate) failed: AtomicBool,
}

impl Shared<'_> {
    /// Whether the workers are to leave what they are at.
    pub(crate) fn is_stopping(&self) -> bool {
        self.walker.stop.is_stopped() || self.failed.load(Relaxed)
    }

    /// Notes that somebody else has this range now.
    pub(crate) fn lose(&self, claim: ClaimNumber) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(claim);
    }

    pub(crate) fn is_lost(&self, claim: ClaimNumber) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&claim)
    }

    /// Notes what a page held, and where it has to be walked again.
    pub(crate) fn note(
        &self,
        range: Range,
        tallies: &[Tally],
        written: &[Written],
        problems: Vec<Problem>,
        stale: Vec<Problem>,
    ) {
        let first: usize = self.walker.tables[..range.table].iter().map(|table| table.columns.len()).sum();
        let found = &mut *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.tallies[first..].iter_mut().zip(tallies).for_each(|(sum, tally)| sum.merge(tally));
        found.written[first..].iter_mut().zip(written).for_each(|(sum, written)| sum.add(written));
        if !stale.is_empty() && found.stale_ranges.len() <= LEFT {
            found.stale_ranges.push(range);
        }
        problems.into_iter().for_each(|problem| found.problems.add(problem));
        stale.into_iter().for_each(|problem| found.stale.add(problem));
    }
}

impl Found {
    /// Nothing yet.
    pub(crate) fn new(tables: &[PlannedTable], keys: usize) -> Self {
        let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
        let (tallies, written) = (vec![Tally::new(keys); columns], vec![Written::default(); columns]);
        Self { problems: Problems::default(), stale: Problems::default(), stale_ranges: Vec::new(), tallies, written }
    }

    /// Adds what a later walk came across.
    pub(crate) fn add(&mut self, later: Self) {
        self.problems = later.problems;
        self.tallies.iter_mut().zip(&later.tallies).for_each(|(sum, tally)| sum.merge(tally));
        self.written.iter_mut().zip(&later.written).for_each(|(sum, written)| sum.add(written));
    }
}

impl Counters {
    pub(crate) fn new(tables: usize) -> Self {
        Self {
            pass: AtomicU32::new(0),
            is_proving: AtomicBool::new(false),
            table: AtomicUsize::new(0),
            rows: (0..tables).map(|_| AtomicU64::new(0)).collect(),
            rows_read: AtomicU64::new(0),
            rewritten: AtomicU64::new(0),
            bad: AtomicU64::new(0),
        }
    }

    /// A range of this pass was claimed.
    pub(crate) fn begin(&self, pass: u32) {
        // The reading for the proof is a walk of its own, but not a pass.
        if !self.is_proving.load(Relaxed) && self.pass.swap(pass, Relaxed) != pass {
            self.reset();
        }
    }

    /// Everything is about to be read for the proof, or that is over.
    pub(crate) fn prove(&self, is_proving: bool) {
        self.is_proving.store(is_proving, Relaxed);
        if is_proving {
            self.reset();
        }
    }

    pub(crate) fn see(&self, table: usize, rows: usize, bad: usize) {
        self.table.store(table, Relaxed);
        self.rows[table].fetch_add(rows as u64, Relaxed);
        self.rows_read.fetch_add(rows as u64, Relaxed);
        self.bad.fetch_add(bad as u64, Relaxed);
    }

    fn reset(&self) {
        self.rows.iter().for_each(|rows| rows.store(0, Relaxed));
        self.bad.store(0, Relaxed);
    }

    pub(crate) fn wrote(&self, written: &[Written]) {
        self.rewritten.fetch_add(written.iter().map(|written| written.rewritten).sum(), Relaxed);
    }
}
