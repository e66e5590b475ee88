//! The writing half of a worker: writes the pages of a range, and notes the progress.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::database::{Failure, Locks, Session, TaskConnection};
use crate::keys::Rotation;
use crate::reencrypt::report::problem::LISTED;
use crate::reencrypt::report::{Problem, Tally, TaskError, Written};
use crate::reencrypt::run::claim::LEFT;
use crate::reencrypt::run::{Claim, ClaimProgress, Range};
use crate::reencrypt::walk::batch::{ALWAYS_CAUTIOUS, BatchOutcome, Batches};
use crate::reencrypt::walk::reader::{Message, Prepared};
use crate::reencrypt::walk::shared::{Mode, Shared};
use crate::targets::printable;

/// The time between two checkpoints if there is nothing to write.
const CHECKPOINT: Duration = Duration::from_secs(1);

pub(crate) struct Writer<'a, C: TaskConnection> {
    shared: &'a Shared<'a, C>,
    current: Option<Current>,
    rotation: Rotation<'a>,
    /// See [`Batches`]. `None` until the server has answered.
    cautious: Option<u32>,
    /// See [`Batches`].
    refused: usize,
}

struct Current {
    claim: Claim,
    /// The work that is committed. It is never ahead of the rows.
    progress: ClaimProgress,
    problems: Vec<Problem>,
    noted: Instant,
}

impl<'a, C: TaskConnection> Writer<'a, C> {
    pub(crate) fn new(shared: &'a Shared<'a, C>) -> Self {
        Self { shared, current: None, rotation: Rotation::new(&shared.settings.keyring), cautious: None, refused: 0 }
    }

    pub(crate) fn handle(&mut self, session: &mut Session<'_, C>, message: Message) -> Result<(), TaskError> {
        match message {
            Message::Begin(claim) => {
                self.current = Some(Current::new(claim, self.shared));
                Ok(())
            }
            Message::Page(page) => self.write(session, page),
            // After a stop, the reading half may have skipped pages.
            Message::End => self.settle(session, !self.shared.is_stopping()),
        }
    }

    /// Hands back the rest of the range. Call it after the last message.
    pub(crate) fn finish(&mut self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        self.settle(session, false)
    }

    fn write(&mut self, session: &mut Session<'_, C>, page: Prepared) -> Result<(), TaskError> {
        let shared = self.shared;
        shared.heartbeat.wait(session, || shared.is_stopping())?;
        let begun = Instant::now();
        let Some(current) = &mut self.current else { return Ok(()) };
        if shared.is_stopping() {
            return Ok(());
        }
        let table = shared.plan.table(page.range.table);
        let checkpoint = shared.heartbeat.store.checkpoint(current.claim.number, &current.progress);
        let checkpoint = checkpoint.map_err(|error| Failure::internal(error.to_string()))?;
        let checkpoint = checkpoint.as_ref();
        let mut is_taken = false;
        let mut written = Vec::new();
        if shared.mode == Mode::Write && !page.changes.is_empty() {
            let cautious = match &mut self.cautious {
                Some(cautious) => cautious,
                unknown => {
                    let waits = session.run(C::Backend::waits_for_rows)?;
                    unknown.insert(if waits { ALWAYS_CAUTIOUS } else { 0 })
                }
            };
            let rotation = &mut self.rotation;
            let refused = &mut self.refused;
            let mut batches = Batches { shared, session, table, rotation, checkpoint, cautious, refused };
            let outcome = batches.write(&page.range, page.changes)?;
            is_taken = outcome.is_taken;
            current.noted = Instant::now();
            current.add(&outcome, &page.range);
            shared.counters.wrote(&outcome.written);
            written = outcome.written;
        } else if let Some(checkpoint) = checkpoint.filter(|_| current.noted.elapsed() > CHECKPOINT) {
            is_taken = !session.run(|conn| checkpoint.write(conn))?;
            current.noted = Instant::now();
        }
        if is_taken {
            tracing::warn!(table = %printable(&table.name), "another process has taken over a range, because this one was too slow");
            shared.lose(current.claim.number);
            self.current = None;
            return Ok(());
        }
        for (sum, tally) in current.progress.tallies.iter_mut().zip(&page.tallies) {
            sum.merge(tally);
        }
        current.progress.at = page.range.until.clone().or(current.progress.at.take());
        // Record only as many as a report lists. The proof finds them all.
        if shared.counters.bad.load(Relaxed) <= LISTED as u64 {
            current.problems.extend_from_slice(&page.problems);
        }
        let rows = usize::try_from(page.tallies.first().map_or(0, Tally::rows)).unwrap_or(usize::MAX);
        let writing = if written.is_empty() { Duration::ZERO } else { begun.elapsed() };
        let offset = shared.plan.offset(page.range.table);
        let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.add_page(page.range, offset, &page.tallies, &written, page.problems, page.stale);
        drop(found);
        shared.heartbeat.throttle.slow_down(begun, rows, writing, || shared.heartbeat.beat(session))
    }

    fn settle(&mut self, session: &mut Session<'_, C>, is_done: bool) -> Result<(), TaskError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let store = self.shared.heartbeat.store;
        if self.shared.mode == Mode::Write {
            store.record(session, &current.problems)?;
        }
        store.settle(session, current.claim.number, &current.progress, is_done)
    }
}

impl Current {
    fn new<C: TaskConnection>(claim: Claim, shared: &Shared<'_, C>) -> Self {
        let columns = shared.plan.table(claim.range.table).columns.len();
        let progress = ClaimProgress {
            tallies: vec![Tally::new(shared.settings.keyring.fingerprints().len()); columns],
            written: vec![Written::default(); columns],
            ..ClaimProgress::default()
        };
        Self { claim, progress, problems: Vec::new(), noted: Instant::now() }
    }

    fn add(&mut self, outcome: &BatchOutcome, range: &Range) {
        for (sum, written) in self.progress.written.iter_mut().zip(&outcome.written) {
            sum.add(written);
        }
        for tally in &mut self.progress.tallies {
            tally.newest_stale = tally.newest_stale.max(outcome.newest_stale);
        }
        if !outcome.is_left {
            return;
        }
        let is_full = self.progress.left.len() >= LEFT;
        match self.progress.left.last_mut() {
            Some(last) if is_full => last.until = range.until.clone(),
            _ => self.progress.left.push(range.clone()),
        }
    }
}
