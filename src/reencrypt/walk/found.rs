//! What the workers of a process have found, and how far they are.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::database::Plan;
use crate::reencrypt::report::{Problem, Problems, Tally, Written};
use crate::reencrypt::run::Range;
use crate::reencrypt::run::claim::LEFT;

/// What this process has found and written.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) problems: Problems,
    /// The values that are left to write, if nothing was written.
    pub(crate) stale: Problems,
    pub(crate) stale_ranges: Vec<Range>,
    /// One entry per column of the plan.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) written: Vec<Written>,
}

/// How far the workers are, for the observer.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) pass: AtomicU32,
    pub(crate) is_proving: AtomicBool,
    pub(crate) table: AtomicUsize,
    /// The rows read in this pass, one entry per table.
    pub(crate) rows: Vec<AtomicU64>,
    pub(crate) rows_read: AtomicU64,
    pub(crate) rewritten: AtomicU64,
    /// The problems of this pass.
    pub(crate) bad: AtomicU64,
}

impl Found {
    pub(crate) fn new(plan: &Plan, keys: usize) -> Self {
        let columns = plan.columns().count();
        let tallies = vec![Tally::new(keys); columns];
        Self { tallies, written: vec![Written::default(); columns], ..Self::default() }
    }

    /// Adds what was found in a page of a table, whose first column is at `offset`.
    pub(crate) fn add_page(
        &mut self,
        range: Range,
        offset: usize,
        tallies: &[Tally],
        written: &[Written],
        problems: Vec<Problem>,
        stale: Vec<Problem>,
    ) {
        self.tallies[offset..].iter_mut().zip(tallies).for_each(|(sum, tally)| sum.merge(tally));
        self.written[offset..].iter_mut().zip(written).for_each(|(sum, written)| sum.add(written));
        if !stale.is_empty() && self.stale_ranges.len() <= LEFT {
            self.stale_ranges.push(range);
        }
        problems.into_iter().for_each(|problem| self.problems.add(problem));
        stale.into_iter().for_each(|problem| self.stale.add(problem));
    }

    /// Adds what a later pass found. It reads some rows again, so its problems replace the earlier ones, and its tallies
    /// count only if there are no others.
    pub(crate) fn add(&mut self, later: Self) {
        self.problems = later.problems;
        if self.tallies.iter().all(|tally| tally.rows() == 0) {
            self.tallies = later.tallies;
        }
        for (sum, written) in self.written.iter_mut().zip(&later.written) {
            sum.add(written);
            sum.busy = written.busy;
        }
    }
}

impl Counters {
    pub(crate) fn new(tables: usize) -> Self {
        Self { rows: (0..tables).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// Notes that a worker has claimed a range of this pass.
    pub(crate) fn begin(&self, pass: u32) {
        // The reading for the proof is not a pass.
        if !self.is_proving.load(Relaxed) && self.pass.swap(pass, Relaxed) != pass {
            self.reset();
        }
    }

    /// Notes that the reading for the proof begins or ends.
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

    pub(crate) fn wrote(&self, written: &[Written]) {
        self.rewritten.fetch_add(written.iter().map(|written| written.rewritten).sum(), Relaxed);
    }

    fn reset(&self) {
        self.rows.iter().for_each(|rows| rows.store(0, Relaxed));
        self.bad.store(0, Relaxed);
    }
}
