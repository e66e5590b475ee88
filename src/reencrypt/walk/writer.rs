//! One worker's writing half: writes the pages of a range, and notes how far it is.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::database::checkpoint::Checkpoint;
use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::database::failure::Failure;
use crate::database::session::Session;
use crate::keys::rotation::Rotation;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::problem::{LISTED, Problem};
use crate::reencrypt::report::tally::{Tally, Written};
use crate::reencrypt::run::rules::{Claim, LEFT, Progress, Range};
use crate::reencrypt::run::state;
use crate::reencrypt::walk::batch::{ALWAYS_CAUTIOUS, Batches, Outcome};
use crate::reencrypt::walk::reader::{Message, Prepared};
use crate::reencrypt::walk::shared::{Mode, Shared};

/// Between two checkpoints where there is nothing to write.
const CHECKPOINT: Duration = Duration::from_secs(1);

pub(crate) struct Writer<'a> {
    shared: &'a Shared<'a>,
    /// The range that is being written.
    current: Option<Current>,
    rotation: Rotation<'a>,
    /// See [`Batches`]; `None` until the server was asked.
    cautious: Option<u32>,
    /// See [`Batches`].
    refused: usize,
}

struct Current {
    claim: Claim,
    /// Of what is done and committed: never ahead of the rows.
    progress: Progress,
    problems: Vec<Problem>,
    noted: Instant,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, current: None, rotation: Rotation::new(&shared.walker.keyring), cautious: None, refused: 0 }
    }

    pub(crate) fn handle<C: TaskConnection>(
        &mut self,
        session: &mut Session<'_, C>,
        message: Message,
    ) -> Result<(), TaskError> {
        match message {
            Message::Begin(claim) => {
                let walker = self.shared.walker;
                let columns = walker.tables[claim.range.table].columns.len();
                let progress = Progress {
                    at: None,
                    tallies: vec![Tally::new(walker.keyring.fingerprints().len()); columns],
                    written: vec![Written::default(); columns],
                    left: Vec::new(),
                };
                self.current = Some(Current { claim, progress, problems: Vec::new(), noted: Instant::now() });
                Ok(())
            }
            Message::Page(page) => self.page(session, page),
            // A page may have been left out because of a stop.
            Message::End => self.settle(session, !self.shared.is_stopping()),
        }
    }

    /// Hands back what is not done. To be called when no more messages come.
    pub(crate) fn finish<C: TaskConnection>(&mut self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        self.settle(session, false)
    }

    fn page<C: TaskConnection>(&mut self, session: &mut Session<'_, C>, page: Prepared) -> Result<(), TaskError> {
        let shared = self.shared;
        shared.pulse.wait(session, || shared.is_stopping())?;
        let begun = Instant::now();
        let Some(current) = &mut self.current else { return Ok(()) };
        if shared.is_stopping() {
            return Ok(());
        }
        let table = &shared.walker.tables[page.range.table];
        let guard = match shared.walker.store.is_shared() {
            true => Some(state::write(&current.progress).map_err(|error| Failure::internal(error.to_string()))?),
            false => None,
        };
        let checkpoint = guard.as_deref().map(|progress| Checkpoint { claim: current.claim.number, progress });
        let (mut is_taken, mut written) = (false, Vec::new());
        if shared.mode == Mode::Write && !page.changes.is_empty() {
            let cautious = match &mut self.cautious {
                Some(cautious) => cautious,
                unknown => {
                    let waits = session.run(C::Backend::waits_for_rows)?;
                    unknown.insert(if waits { ALWAYS_CAUTIOUS } else { 0 })
                }
            };
            let (rotation, refused, pace) = (&mut self.rotation, &mut self.refused, &shared.pace);
            let (job, clock) = (shared.walker.job, shared.walker.clock);
            let mut batches = Batches { session, table, job, rotation, pace, clock, checkpoint, cautious, refused };
            let outcome = batches.write(&page.range, page.changes)?;
            is_taken = outcome.is_taken;
            current.noted = Instant::now();
            current.add(&outcome, &page.range);
            shared.counters.wrote(&outcome.written);
            written = outcome.written;
        } else if let Some(Checkpoint { claim, progress }) = checkpoint.filter(|_| current.noted.elapsed() > CHECKPOINT)
        {
            is_taken = !session.run(|conn| Checkpoint { claim, progress }.write(conn))?;
            current.noted = Instant::now();
        }
        if is_taken {
            tracing::warn!(table = %table.name, "another process has taken over a range: this one was too slow");
            shared.lose(current.claim.number);
            self.current = None;
            return Ok(());
        }
        for (sum, tally) in current.progress.tallies.iter_mut().zip(&page.tallies) {
            sum.merge(tally);
        }
        current.progress.at = page.range.until.clone().or(current.progress.at.take());
        // As many as a report lists; the proof finds them all.
        if shared.walker.store.is_shared() && shared.counters.bad.load(Relaxed) <= LISTED as u64 {
            current.problems.extend_from_slice(&page.problems);
        }
        let rows = usize::try_from(page.tallies.first().map_or(0, Tally::rows)).unwrap_or(usize::MAX);
        let writing = if written.is_empty() { Duration::ZERO } else { begun.elapsed() };
        shared.note(page.range, &page.tallies, &written, page.problems, page.stale);
        shared.walker.throttle.pace(begun, rows, writing, || shared.pulse.look(session))
    }

    fn settle<C: TaskConnection>(&mut self, session: &mut Session<'_, C>, is_done: bool) -> Result<(), TaskError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let store = self.shared.walker.store;
        if self.shared.mode == Mode::Write {
            store.record(session, &current.problems)?;
        }
        store.settle(session, current.claim.number, &current.progress, is_done)
    }
}

impl Current {
    fn add(&mut self, outcome: &Outcome, range: &Range) {
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
