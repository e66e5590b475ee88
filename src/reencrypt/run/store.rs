//! Where a run is kept: in the memory of the one process that works on it, or in the database for any number of them.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::r2d2::R2D2Connection;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::connection::{DialectConnection, TaskConnection};
use crate::database::dialect::Dialect;
use crate::database::moment::Moment;
use crate::database::page::Page;
use crate::database::row::{KeyValue, Row};
use crate::database::session::Session;
use crate::database::table::PlannedTable;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::problem::{Problem, Problems};
use crate::reencrypt::report::refusal::Refusal;
use crate::reencrypt::run::rules::{Asked, Claim, ClaimNumber, Next, Progress, Range, Run, Scope, Step};
use crate::reencrypt::run::state::{self, Stored};

/// Rows of a range that one worker claims: some seconds of work.
const CHUNK: usize = 50_000;

/// A run, and the process that takes part in it.
pub(crate) struct Store<'a> {
    tables: &'a [PlannedTable],
    process: String,
    lease: Duration,
    place: Place,
}

enum Place {
    /// Ranges are split only if there are several workers to share them.
    Memory(Box<Mutex<Run>>, bool),
    Database,
}

/// What a worker got on asking for work.
pub(crate) enum Claimed {
    Range(Claim),
    /// Others hold all that is left.
    Wait,
    Over,
}

impl<'a> Store<'a> {
    /// A run of this process alone.
    pub(crate) fn memory(tables: &'a [PlannedTable], mut run: Run, workers: usize) -> Self {
        let (process, lease) = ("this".to_owned(), Duration::MAX);
        run.join(&process, run.started, lease);
        Self { tables, process, lease, place: Place::Memory(Box::new(Mutex::new(run)), workers > 1) }
    }

    /// The run in the database: joined if it is at work, gone on with if nobody is, and a new one if there is none of
    /// this scope to go on with.
    pub(crate) fn join<C: TaskConnection>(
        session: &mut Session<'_, C>,
        tables: &'a [PlannedTable],
        scope: &Scope,
        process: String,
        lease: Duration,
    ) -> Result<Self, TaskError> {
        let refused = session.patiently(|conn| {
            conn.transaction(|conn| {
                state::lock(conn)?;
                let now = state::now(conn)?;
                let new = || Run::new(scope.clone(), tables, scope.keys.len(), now);
                let mut run = match state::load(conn)? {
                    Stored::Foreign => return Ok(Some(Refusal::ForeignRun)),
                    Stored::Run(run) if run.alive(now).next().is_some() && !run.is_over() => {
                        if let Some(refusal) = mismatch(&run, scope, now) {
                            return Ok(Some(refusal));
                        }
                        run
                    }
                    // Somebody has left it unfinished.
                    Stored::Run(run) if !run.is_over() && run.scope == *scope => run,
                    Stored::Run(former) => {
                        state::close_chunks(conn)?;
                        new().after(&former)
                    }
                    // Somebody may have emptied that table alone.
                    Stored::Nothing => {
                        state::close_chunks(conn)?;
                        new()
                    }
                };
                run.join(&process, now, lease);
                state::save(conn, &run)?;
                Ok::<_, DieselError>(None)
            })
        })?;
        match refused {
            Some(refusal) => Err(refusal.into()),
            None => Ok(Self { tables, process, lease, place: Place::Database }),
        }
    }

    /// Whether the tables of the task are there, or are to be there and were made.
    pub(crate) fn prepare<C: TaskConnection>(session: &mut Session<'_, C>) -> Result<bool, TaskError> {
        if session.run(state::exists)? {
            return Ok(true);
        }
        if !C::Backend::SHARES {
            return Ok(false);
        }
        for statement in state::state_tables::<C::Backend>().create {
            match session.once(|conn| conn.batch_execute(&statement))? {
                Ok(()) => {}
                Err(_) if !session.is_connected() => session.run(|conn| conn.batch_execute(&statement))?,
                // Another process was creating it at the same moment: by now it is there.
                Err(_) if session.once(|conn| conn.batch_execute(&statement))?.is_ok() => {}
                Err(error) => return Err(Refusal::NoStateTables { reason: error.to_string() }.into()),
            }
        }
        Ok(true)
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.place, Place::Database)
    }

    /// A range for a worker to work on; see [`Run::next`] for `known`.
    pub(crate) fn claim<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        worker: usize,
        known: &[ClaimNumber],
    ) -> Result<Claimed, TaskError> {
        let splits = match &self.place {
            Place::Memory(_, splits) => *splits,
            Place::Database => true,
        };
        self.update(session, |run, now, conn| {
            let (position, dead) = match run.next(&self.process, worker, known, now) {
                Next::Take { position, dead } => (position, dead),
                Next::Wait => return Ok(Claimed::Wait),
                Next::Over => return Ok(Claimed::Over),
            };
            if let Some(dead) = dead {
                tracing::info!(claim = dead, "taking over a range: nothing was heard lately of who had it");
                let progress = if self.is_shared() { state::close_chunk(conn, dead)? } else { None };
                run.settle(dead, progress.unwrap_or_default(), false, self.tables);
            }
            let middle = if splits { self.middle(conn, run.range(position))? } else { None };
            let claim = run.take(position, &self.process, worker, middle);
            if self.is_shared() {
                state::open_chunk(conn, claim.number)?;
            }
            Ok(Claimed::Range(claim))
        })
    }

    /// Hands a range back: dealt with, or to be gone on with by whoever comes next.
    pub(crate) fn settle<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        claim: ClaimNumber,
        progress: &Progress,
        is_done: bool,
    ) -> Result<(), TaskError> {
        self.update(session, |run, _, conn| {
            if self.is_shared() {
                state::close_chunk(conn, claim)?;
            }
            run.settle(claim, progress.clone(), is_done, self.tables);
            Ok(())
        })
    }

    /// Records bad values where `problems` finds them.
    pub(crate) fn record<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        problems: &[Problem],
    ) -> Result<(), TaskError> {
        if !self.is_shared() || problems.is_empty() {
            return Ok(());
        }
        Ok(session.run(|conn| conn.transaction(|conn| state::record(conn, problems)))?)
    }

    /// Puts the bad values that the proof has found in place of all that were recorded before; in one transaction with
    /// the end of the proof, so that nobody who was taken for dead does it.
    pub(crate) fn record_all<C: TaskConnection>(&self, conn: &mut C, problems: &[Problem]) -> QueryResult<()> {
        if !self.is_shared() {
            return Ok(());
        }
        for table in self.tables {
            for column in &table.columns {
                state::forget(conn, &table.name.to_string(), &column.name)?;
            }
        }
        state::record(conn, problems)
    }

    /// The bad values that were recorded of the run.
    pub(crate) fn recorded<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<Problems, TaskError> {
        let columns = self
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| (table.name.to_string(), column.name.as_str())));
        let columns: Vec<_> = columns.collect();
        Ok(session.run(|conn| state::problems(conn, Some(&columns)))?)
    }

    /// What the process is to do next as a whole, and the run at that moment.
    pub(crate) fn step<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<(Step, Run), TaskError> {
        self.update(session, |run, now, _| Ok((run.step(&self.process, now), run.clone())))
    }

    /// The name under which the others know this process, if there can be others.
    pub(crate) fn process(&self) -> Option<&str> {
        self.is_shared().then_some(self.process.as_str())
    }

    /// How long the others take this process to be alive after they have heard of it, if there can be others.
    pub(crate) fn lease(&self) -> Option<Duration> {
        self.is_shared().then_some(self.lease)
    }

    /// Renews the lease; what operators have asked for, and how many processes are alive.
    pub(crate) fn beat<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
    ) -> Result<(Asked, NonZeroU32), TaskError> {
        self.update(session, |run, now, _| {
            run.beat(&self.process, now, self.lease);
            let alive = u32::try_from(run.alive(now).count()).ok().and_then(NonZeroU32::new);
            Ok((run.asked(&self.process), alive.unwrap_or(NonZeroU32::MIN)))
        })
    }

    /// What operators have asked for.
    pub(crate) fn asked<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<Asked, TaskError> {
        let stored = session.run(state::load)?;
        Ok(match stored {
            Stored::Run(run) => run.asked(&self.process),
            // Somebody has dropped the tables, or a newer version has taken them.
            Stored::Nothing | Stored::Foreign => Asked::Stop,
        })
    }

    /// Takes this process off the run.
    pub(crate) fn leave<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        self.update(session, |run, _, _| {
            run.leave(&self.process);
            Ok(())
        })
    }

    /// Changes the run while nobody else can. `change` is safe to repeat.
    pub(crate) fn update<C: TaskConnection, T>(
        &self,
        session: &mut Session<'_, C>,
        mut change: impl FnMut(&mut Run, Moment, &mut C) -> QueryResult<T>,
    ) -> Result<T, TaskError> {
        match &self.place {
            Place::Memory(run, _) => {
                let mut shared = run.lock().unwrap_or_else(PoisonError::into_inner);
                let (run, value) = session.run(|conn| {
                    let mut run = shared.clone();
                    let now = run.started;
                    change(&mut run, now, conn).map(|value| (run, value))
                })?;
                *shared = run;
                Ok(value)
            }
            Place::Database => {
                let changed = session.patiently(|conn| {
                    conn.transaction(|conn| {
                        state::lock(conn)?;
                        let now = state::now(conn)?;
                        let Stored::Run(mut run) = state::load(conn)? else { return Ok::<_, DieselError>(None) };
                        let before = run.clone();
                        let value = change(&mut run, now, conn)?;
                        if run != before {
                            state::save(conn, &run)?;
                        }
                        Ok(Some(value))
                    })
                })?;
                changed.ok_or_else(|| Refusal::RunGone.into())
            }
        }
    }

    /// The row key at which a range is cut, unless it is short.
    fn middle<C: DialectConnection + R2D2Connection>(
        &self,
        conn: &mut C,
        range: &Range,
    ) -> QueryResult<Option<Vec<KeyValue>>> {
        let mut page = Page::keys(&self.tables[range.table], 1);
        (page.after, page.until, page.skip) = (range.after.as_deref(), range.until.as_deref(), CHUNK - 1);
        let rows: Vec<Row> = page.load(conn)?;
        Ok(rows.into_iter().next().map(|row| row.key).filter(|key| range.until.as_ref() != Some(key)))
    }
}

/// Why a process may not take part in a run of other processes.
fn mismatch(run: &Run, mine: &Scope, now: Moment) -> Option<Refusal> {
    let processes = run.alive(now).map(str::to_owned).collect();
    let Scope { job, keys, targets } = run.scope.clone();
    if job != mine.job {
        Some(Refusal::OtherJob { processes, theirs: job, mine: mine.job })
    } else if keys != mine.keys {
        Some(Refusal::OtherKeys { processes, job, theirs: keys, mine: mine.keys.clone() })
    } else if targets != mine.targets {
        Some(Refusal::OtherTargets { processes, job, theirs: targets, mine: mine.targets.clone() })
    } else {
        None
    }
}
