//! The task: its settings, and its passes.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use super::control::control;
use super::dialect::Dialect;
use super::error::{Refusal, TaskError};
use super::limits::Limits;
use super::monitor::Monitor;
use super::page::Page;
use super::plan;
use super::progress::{Progress, StopHandle};
use super::report::{ColumnReport, Outcome, Report};
use super::row::Row;
use super::session::Session;
use super::status::Status;
use super::table::PlannedTable;
use super::tally::{Tally, Written};
use super::throttle::Throttle;
use super::verdict::Verdict;
use super::walk::{Counters, Mode, Walker};
use crate::keyring::Keyring;
use crate::target::Target;

/// Passes after which the task ends without a proof: somebody keeps writing under an old key.
const PASSES: u32 = 10;
/// Rows sampled at either end of a table, to see whether the keyring belongs to the data.
const SAMPLE: usize = 100;
/// A column with at least this many sampled tokens is judged by itself, a smaller one with the others.
const COLUMN_SAMPLE: u64 = 100;

/// Re-encrypts the values of its targets under the primary key of a keyring, or tells their status.
///
/// See the [module](super) for what it does and an example.
#[must_use = "a task does nothing until `run` or `status` is called"]
pub struct Task<'a> {
    keyring: Arc<Keyring>,
    targets: Vec<Target>,
    batch: Option<usize>,
    workers: usize,
    dry_run: bool,
    give_up_after: Duration,
    pub(super) limits: Limits,
    stop: StopHandle,
    observer: Box<dyn FnMut(&Progress) + Send + 'a>,
}

impl<'a> Task<'a> {
    /// A task without targets yet.
    pub fn new(keyring: impl Into<Arc<Keyring>>) -> Self {
        Self {
            keyring: keyring.into(),
            targets: Vec::new(),
            batch: None,
            workers: 1,
            dry_run: false,
            give_up_after: Duration::from_secs(60),
            limits: Limits::default(),
            stop: StopHandle::default(),
            observer: Box::new(|_| {}),
        }
    }

    /// Adds a target.
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds targets.
    pub fn targets(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.targets.extend(targets);
        self
    }

    /// Rows read, and at most written, in one statement. The default is what was fastest: 1000 on PostgreSQL and
    /// SQLite, 500 on MySQL and MariaDB. It is lowered where a statement cannot bind that many values.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch = Some(rows);
        self
    }

    /// Threads that work side by side, each with a connection of its own; at most the size of the pool. The default
    /// is 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Does everything but write, in one pass.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// How long a failing database is tried again before the task gives up. The default is one minute.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Lets `stop` end the task early.
    pub fn stop_handle(mut self, stop: StopHandle) -> Self {
        self.stop = stop;
        self
    }

    /// Calls `observer` ten times a second, on the thread that runs the task.
    pub fn observer(mut self, observer: impl FnMut(&Progress) + Send + 'a) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Rewrites every value under a secondary key, pass after pass, until one finds none.
    ///
    /// The connections get the settings that the task needs (a short wait for locks, `READ COMMITTED`, a strict SQL
    /// mode, no hiding of rows by row-level security) and their former ones when they go back to the pool.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_refused`] before anything is written: no targets, an unknown table or column, a column that
    /// does not hold tokens, a table without a usable row key, a keyring that reads hardly anything of the data.
    /// [`TaskError::is_database`] if the database failed until the time to give up.
    ///
    /// Values that cannot be read are no error: the [`Report`] lists them.
    pub fn run<C>(mut self, pool: &Pool<ConnectionManager<C>>) -> Result<Report, TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let monitor = self.limits.need_watching().then(|| Monitor::new::<C>(&self.limits)).transpose()?;
        let tables = self.plan(pool)?;
        self.check_keyring(pool, &tables)?;
        let throttle = Throttle::new(&self.limits, self.stop.clone());
        let stop = self.stop.clone();
        thread::scope(|scope| {
            let (_alive, ended) = mpsc::channel();
            if let Some(monitor) = monitor {
                let (throttle, stop) = (&throttle, &stop);
                scope.spawn(move || control(monitor, throttle, pool, stop, &ended));
            }
            self.passes(pool, &tables, &throttle)
        })
    }

    fn passes<C>(
        &mut self,
        pool: &Pool<ConnectionManager<C>>,
        tables: &[PlannedTable],
        throttle: &Throttle,
    ) -> Result<Report, TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let started = Instant::now();
        let walker = self.walker(tables, throttle);
        let mode = if self.dry_run { Mode::DryRun } else { Mode::Write };
        let mut sums = vec![Written::default(); tables.iter().map(|table| table.columns.len()).sum()];
        let mut estimate = rows(tables);
        for number in 1.. {
            let before: u64 = sums.iter().map(|sum| sum.rewritten).sum();
            let tick = |counters: &Counters| {
                (self.observer)(&progress(number, tables, estimate, before, counters, started, throttle.waiting()))
            };
            let (mut pass, result) = walker.pass(pool, mode, tick);
            sums.iter_mut().zip(&pass.written).for_each(|(sum, written)| sum.add(written));
            pass.problems.sort();
            let stale: u64 = pass.tallies.iter().map(Tally::stale).sum();
            let outcome = match &result {
                _ if pass.stopped => Some(Outcome::Stopped),
                Err(_) => Some(Outcome::Failed),
                Ok(()) if stale == 0 => Some(Outcome::Proven),
                Ok(()) if number == PASSES || self.dry_run => Some(Outcome::Incomplete),
                Ok(()) => None,
            };
            tracing::info!(pass = number, stale, ?outcome, "pass ended");
            if let Some(outcome) = outcome {
                let columns = ColumnReport::all(tables, &pass.tallies, &sums, &pass.written);
                let report = Report {
                    outcome,
                    primary: self.keyring.primary(),
                    passes: number,
                    columns,
                    problems: pass.problems,
                };
                return match result {
                    Err(error) if outcome == Outcome::Failed => Err(error.with_report(report)),
                    _ => Ok(report),
                };
            }
            estimate = Some(tables_rows(tables, &pass.tallies));
        }
        // Invariant: the loop ends with the pass number PASSES at the latest.
        Err(TaskError::internal("the passes did not end"))
    }

    /// Reads every value and tells under which keys they are. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Task::run`], but for a keyring that does not belong to the data: that is what the status shows.
    pub fn status<C>(mut self, pool: &Pool<ConnectionManager<C>>) -> Result<Status, TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let tables = self.plan(pool)?;
        let started = Instant::now();
        let estimate = rows(&tables);
        let throttle = Throttle::new(&Limits::default(), self.stop.clone());
        let walker = self.walker(&tables, &throttle);
        let tick = |counters: &Counters| (self.observer)(&progress(1, &tables, estimate, 0, counters, started, None));
        let (pass, result) = walker.pass(pool, Mode::Read, tick);
        result?;
        Ok(Status::new(&self.keyring, &tables, &pass.tallies, pass.stopped))
    }

    fn walker<'t>(&self, tables: &'t [PlannedTable], throttle: &'t Throttle) -> Walker<'t> {
        Walker {
            tables,
            throttle,
            keyring: Arc::clone(&self.keyring),
            batch: self.batch,
            workers: self.workers,
            give_up_after: self.give_up_after,
            stop: self.stop.clone(),
        }
    }

    fn plan<C>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<Vec<PlannedTable>, TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        plan::plan(&mut Session::new(pool, self.give_up_after, self.stop.clone()), &self.targets)
    }

    /// Refuses a keyring that reads hardly anything of a sample: that is a wrong keyring, not bad rows.
    fn check_keyring<C>(&self, pool: &Pool<ConnectionManager<C>>, tables: &[PlannedTable]) -> Result<(), TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let mut session = Session::new(pool, self.give_up_after, self.stop.clone());
        let mut all = Tally::new(self.keyring.fingerprints().len());
        for table in tables {
            let mut tallies = vec![Tally::new(self.keyring.fingerprints().len()); table.columns.len()];
            for descending in [false, true] {
                let rows: Vec<Row> = session
                    .run(|conn| Page { table, after: None, until: None, descending, limit: SAMPLE }.load(conn))?;
                for row in &rows {
                    Verdict::of_row(row, &self.keyring, |column, verdict| {
                        if let Some(verdict) = verdict {
                            tallies[column].add(verdict);
                        }
                    });
                }
                if rows.len() < SAMPLE {
                    break; // that was the whole table
                }
            }
            for (tally, column) in tallies.iter().zip(&table.columns) {
                if tally.readable() + tally.unreadable >= COLUMN_SAMPLE {
                    refuse_wrong_keyring(tally, || format!("{}.{}", table.name, column.name))?;
                }
                all.merge(tally);
            }
        }
        refuse_wrong_keyring(&all, || "all columns".into())
    }
}

/// Nine in ten tokens unreadable is not damage.
fn refuse_wrong_keyring(tally: &Tally, place: impl FnOnce() -> String) -> Result<(), TaskError> {
    let (readable, unreadable) = (tally.readable(), tally.unreadable);
    if unreadable > 9 * readable {
        return Err(Refusal::WrongKeyring { place: place(), readable, unreadable }.into());
    }
    Ok(())
}

/// The estimated rows of all tables, if the database has an estimate for each.
fn rows(tables: &[PlannedTable]) -> Option<u64> {
    tables.iter().map(|table| table.rows).sum()
}

/// The rows of all tables as a pass counted them, from the first column of each.
fn tables_rows(tables: &[PlannedTable], tallies: &[Tally]) -> u64 {
    let mut first = 0;
    let counted = tables.iter().map(|table| {
        let tally = &tallies[first];
        first += table.columns.len();
        tally.rows()
    });
    counted.sum()
}

fn progress(
    pass: u32,
    tables: &[PlannedTable],
    rows_estimated: Option<u64>,
    rewritten_before: u64,
    counters: &Counters,
    started: Instant,
    waiting: Option<String>,
) -> Progress {
    use std::sync::atomic::Ordering::Relaxed;
    let table = &tables[counters.table.load(Relaxed)];
    Progress {
        pass,
        table: table.name.to_string(),
        rows: counters.rows.load(Relaxed),
        rows_estimated,
        rewritten: rewritten_before + counters.rewritten.load(Relaxed),
        bad: counters.bad.load(Relaxed),
        elapsed: started.elapsed(),
        waiting,
    }
}
