//! Reports the progress of the workers to the observer.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::database::Plan;
use crate::reencrypt::report::{Observer, Progress, TableProgress};
use crate::reencrypt::walk::Counters;
use crate::targets::printable;

pub(crate) struct ProgressReporter<'a, 'o> {
    plan: &'a Plan,
    observer: &'a mut Observer<'o>,
    started: Instant,
    rows_before: u64,
    is_waiting: bool,
}

impl<'a, 'o> ProgressReporter<'a, 'o> {
    pub(crate) fn new(plan: &'a Plan, observer: &'a mut Observer<'o>) -> Self {
        Self { plan, observer, started: Instant::now(), rows_before: 0, is_waiting: false }
    }

    /// Notes how many rows others had read when this process began with a pass or with the reading for the proof.
    pub(crate) fn begin_after(&mut self, rows: u64) {
        self.rows_before = rows;
    }

    /// Reports where the task is, and what it waits for.
    pub(crate) fn report(&mut self, counters: &Counters, waits_for: Option<String>) {
        // It names transactions, whose sessions have named themselves.
        let waits_for = waits_for.map(|reason| printable(&reason).to_string());
        match &waits_for {
            Some(reason) if !self.is_waiting => tracing::info!(reason, "waiting"),
            None if self.is_waiting => tracing::info!("continuing"),
            _ => {}
        }
        self.is_waiting = waits_for.is_some();
        let tables = self.plan.tables().iter().zip(&counters.rows).map(|(table, rows)| TableProgress {
            table: table.name.to_string(),
            rows: rows.load(Relaxed),
            rows_estimated: table.rows,
        });
        let tables: Vec<_> = tables.collect();
        (self.observer)(&Progress {
            pass: counters.pass.load(Relaxed),
            is_proving: counters.is_proving.load(Relaxed),
            table: tables[counters.table.load(Relaxed)].table.clone(),
            rows: tables.iter().map(|table| table.rows).sum(),
            rows_before: self.rows_before,
            rows_estimated: tables.iter().map(|table| table.rows_estimated).sum(),
            tables,
            rows_read: counters.rows_read.load(Relaxed),
            rewritten: counters.rewritten.load(Relaxed),
            bad: counters.bad.load(Relaxed),
            waits_for,
            elapsed: self.started.elapsed(),
        });
    }
}
