//! From what the workers count to what the observer is told.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::progress::{Observer, Progress};
use super::shared::Counters;
use super::table::PlannedTable;

pub(super) struct Watch<'a, 'o> {
    tables: &'a [PlannedTable],
    observer: &'a mut Observer<'o>,
    started: Instant,
}

impl<'a, 'o> Watch<'a, 'o> {
    pub(super) fn new(tables: &'a [PlannedTable], observer: &'a mut Observer<'o>) -> Self {
        Self { tables, observer, started: Instant::now() }
    }

    /// Tells the observer where the task is, and what it waits for if it does.
    pub(super) fn show(&mut self, counters: &Counters, waits_for: Option<String>) {
        let table = &self.tables[counters.table.load(Relaxed)];
        (self.observer)(&Progress {
            pass: counters.pass.load(Relaxed),
            table: table.name.to_string(),
            rows: counters.rows.load(Relaxed),
            rows_estimated: self.tables.iter().map(|table| table.rows).sum(),
            rewritten: counters.rewritten.load(Relaxed),
            bad: counters.bad.load(Relaxed),
            waits_for,
            elapsed: self.started.elapsed(),
        });
    }
}
