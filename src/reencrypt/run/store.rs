//! The run of a process, wherever it is kept: in memory, or in the tables of the task.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::result::QueryResult;

use crate::database::{Checkpoint, Failure, KeyValue, Moment, Page, Plan, Row, RowFormat, Session, TaskConnection};
use crate::keys::Keyring;
use crate::reencrypt::report::{Ending, Problem, Problems, TaskError};
use crate::reencrypt::run::claim::{Claim, ClaimNumber, ClaimProgress, Range};
use crate::reencrypt::run::memory::Memory;
use crate::reencrypt::run::place::Place;
use crate::reencrypt::run::rules::{Asked, Next, Run, Scope, Step};
use crate::reencrypt::run::state::State;
use crate::reencrypt::run::tables::Tables;

/// The number of rows that a worker claims at a time: some seconds of work.
const CHUNK: usize = 50_000;

/// A run, and the process that takes part in it.
pub(crate) struct Store<'a, C: TaskConnection> {
    plan: &'a Plan,
    process: String,
    /// `None` if no other process can take part.
    lease: Option<Duration>,
    place: Box<dyn Place<C>>,
}

/// The answer to a worker that asks for work.
pub(crate) enum Claimed {
    Range(Claim),
    /// Others hold all remaining ranges.
    Wait,
    Over,
}

impl<'a, C: TaskConnection> Store<'a, C> {
    /// A run in memory, of this process alone.
    pub(crate) fn memory(plan: &'a Plan, mut run: Run, workers: usize) -> Self {
        let process = "this".to_owned();
        run.join(&process, run.started, Duration::MAX);
        Self { plan, process, lease: None, place: Box::new(Memory::new(run, workers)) }
    }

    /// The run in the tables of the task; see [`Tables::join`].
    pub(crate) fn join(
        state: State,
        session: &mut Session<'_, C>,
        plan: &'a Plan,
        scope: Scope,
        keyring: Arc<Keyring>,
        process: String,
        lease: Duration,
    ) -> Result<Self, TaskError> {
        let tables = Tables::join(state, session, plan, scope, keyring, &process, lease)?;
        Ok(Self { plan, process, lease: Some(lease), place: Box::new(tables) })
    }

    /// A range for a worker to work on; see [`Run::next`] for `known`.
    pub(crate) fn claim(
        &self,
        session: &mut Session<'_, C>,
        worker: usize,
        known: &[ClaimNumber],
    ) -> Result<Claimed, TaskError> {
        self.update(session, |run, now, conn| {
            let (position, dead) = match run.next(&self.process, worker, known, now) {
                Next::Take { position, dead } => (position, dead),
                Next::Wait => return Ok(Claimed::Wait),
                Next::Over => return Ok(Claimed::Over),
            };
            if let Some(dead) = dead {
                tracing::info!(claim = dead, "taking over a range, because its process has not renewed its lease");
                let progress = self.place.close(conn, dead, run.range(position).table)?;
                run.settle(dead, progress.unwrap_or_default(), false, self.plan);
            }
            let middle = if self.place.splits_ranges() { self.middle(conn, run.range(position))? } else { None };
            let claim = run.take(position, &self.process, worker, middle);
            self.place.open(conn, claim.number)?;
            Ok(Claimed::Range(claim))
        })
    }

    /// Ends a claim. Unless it `is_done`, others can claim the rest of its range.
    pub(crate) fn settle(
        &self,
        session: &mut Session<'_, C>,
        claim: ClaimNumber,
        progress: &ClaimProgress,
        is_done: bool,
    ) -> Result<(), TaskError> {
        self.update(session, |run, _, conn| {
            // The record is not needed: this process knows its own progress.
            self.place.close(conn, claim, 0)?;
            run.settle(claim, progress.clone(), is_done, self.plan);
            Ok(())
        })
    }

    /// The checkpoint that every write under a claim records; `None` if the run has no tables.
    pub(crate) fn checkpoint(&self, claim: ClaimNumber, progress: &ClaimProgress) -> QueryResult<Option<Checkpoint>> {
        self.place.checkpoint(claim, progress)
    }

    /// Whether a process of this run wrote the ending, after this process had joined.
    pub(crate) fn believes(&self, ending: &Ending) -> bool {
        self.place.believes(ending)
    }

    /// Records problems, for the processes that report them and for operators.
    pub(crate) fn record(&self, session: &mut Session<'_, C>, problems: &[Problem]) -> Result<(), TaskError> {
        self.place.record(session, problems)
    }

    /// Replaces all recorded problems with the problems of the proof. This happens in the transaction that ends the
    /// proof, so that a process changes nothing if the others took it for dead.
    pub(crate) fn replace_problems(&self, conn: &mut C, problems: &[Problem]) -> QueryResult<()> {
        self.place.replace(conn, self.plan, problems)
    }

    pub(crate) fn recorded(&self, session: &mut Session<'_, C>) -> Result<Problems, TaskError> {
        self.place.recorded(session, self.plan)
    }

    /// The next step of the process, and the run at that moment.
    pub(crate) fn step(&self, session: &mut Session<'_, C>) -> Result<(Step, Run), TaskError> {
        self.update(session, |run, now, _| Ok((run.step(&self.process, now), run.clone())))
    }

    /// The name of this process in the run, if other processes can take part.
    pub(crate) fn process(&self) -> Option<&str> {
        self.lease.map(|_| self.process.as_str())
    }

    /// The time after which other processes take this one for dead unless it renews its lease; `None` if it is alone.
    pub(crate) fn lease(&self) -> Option<Duration> {
        self.lease
    }

    /// Renews the lease. Returns the last request of the operators, and the number of processes that are alive.
    pub(crate) fn beat(&self, session: &mut Session<'_, C>) -> Result<(Asked, NonZeroU32), TaskError> {
        self.update(session, |run, now, _| {
            run.processes.renew(&self.process, now, self.lease.unwrap_or(Duration::MAX));
            let alive = u32::try_from(run.processes.alive(now).count()).ok().and_then(NonZeroU32::new);
            Ok((run.asked(&self.process), alive.unwrap_or(NonZeroU32::MIN)))
        })
    }

    pub(crate) fn asked(&self, session: &mut Session<'_, C>) -> Result<Asked, TaskError> {
        self.place.asked(session, &self.process)
    }

    /// Removes this process from the run.
    pub(crate) fn leave(&self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        self.update(session, |run, _, _| {
            run.processes.remove(&self.process);
            Ok(())
        })
    }

    /// Changes the run while nobody else can. `change` must be safe to repeat.
    pub(crate) fn update<T>(
        &self,
        session: &mut Session<'_, C>,
        mut change: impl FnMut(&mut Run, Moment, &mut C) -> QueryResult<T>,
    ) -> Result<T, TaskError> {
        let mut value = None;
        self.place.update(session, &mut |run, now, conn| {
            value = Some(change(run, now, conn)?);
            Ok(())
        })?;
        value.ok_or_else(|| Failure::internal("a change of the run did not take place").into())
    }

    /// The row key at which to cut a range, unless the range is short.
    fn middle(&self, conn: &mut C, range: &Range) -> QueryResult<Option<Vec<KeyValue>>> {
        let mut page = Page::keys(self.plan.table(range.table), 1);
        page.after = range.after.as_deref();
        page.until = range.until.as_deref();
        page.skip = CHUNK - 1;
        let rows: Vec<Row> = page.load(conn)?;
        Ok(rows.into_iter().next().map(|row| row.key).filter(|key| {
            // A worker that reads this row refuses its row key.
            key.iter().all(C::Backend::is_key) && range.until.as_ref() != Some(key)
        }))
    }
}
