//! One pass: a whole walk over all tables, shared by the workers.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use super::batch;
use super::dialect::Dialect;
use super::error::TaskError;
use super::page::Page;
use super::progress::StopHandle;
use super::report::{Problem, ProblemKind, Problems};
use super::row::{Change, KeyValue, Row};
use super::session::Session;
use super::table::PlannedTable;
use super::tally::{Tally, Written};
use super::throttle::Throttle;
use super::verdict::Verdict;
use crate::keyring::Keyring;

/// How often the caller hears of progress.
const TICK: Duration = Duration::from_millis(100);

/// Rows of the first page of a table.
const FIRST_PAGE: usize = 16;
/// Bytes of a page up to which the next one may be larger.
const PAGE: usize = 1 << 20;

/// What every pass over the tables has in common.
pub(super) struct Walker<'a> {
    pub(super) tables: &'a [PlannedTable],
    pub(super) throttle: &'a Throttle,
    pub(super) keyring: Arc<Keyring>,
    pub(super) batch: Option<usize>,
    pub(super) workers: usize,
    pub(super) give_up_after: Duration,
    pub(super) stop: StopHandle,
}

/// What a pass does with values under secondary keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Counts them.
    Read,
    /// Seals them under the primary key and throws the result away.
    DryRun,
    /// Writes them.
    Write,
}

/// What a pass found and did. The vectors have one entry per column, over all tables.
pub(super) struct Pass {
    pub(super) tallies: Vec<Tally>,
    pub(super) written: Vec<Written>,
    pub(super) problems: Problems,
    /// Whether the pass was cut short by the stop handle.
    pub(super) stopped: bool,
}

/// Where a pass is, for the caller's eyes.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) table: AtomicUsize,
    pub(super) rows: AtomicU64,
    pub(super) rewritten: AtomicU64,
    pub(super) bad: AtomicU64,
}

impl Walker<'_> {
    /// Walks all tables once. `tick` is called on this thread while the workers are busy.
    pub(super) fn pass<C>(
        &self,
        pool: &Pool<ConnectionManager<C>>,
        mode: Mode,
        mut tick: impl FnMut(&Counters),
    ) -> (Pass, Result<(), TaskError>)
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let columns: usize = self.tables.iter().map(|table| table.columns.len()).sum();
        let tallies = || vec![Tally::new(self.keyring.fingerprints().len()); columns];
        let shared = Shared {
            walker: self,
            mode,
            cursor: Mutex::default(),
            counters: Counters::default(),
            problems: Mutex::default(),
            failed: AtomicBool::new(false),
        };
        let (sessions, mut outcome) = self.sessions(pool);
        let results: Vec<_> = thread::scope(|scope| {
            let observer = thread::current();
            let spawn = |session| {
                let (shared, observer) = (&shared, observer.clone());
                let (tallies, written) = (tallies(), vec![Written::default(); columns]);
                scope.spawn(move || {
                    let mut worker = Worker { shared, session, tallies, written };
                    let result = worker.run();
                    shared.failed.fetch_or(result.is_err(), Relaxed);
                    observer.unpark();
                    (worker.tallies, worker.written, result)
                })
            };
            let threads: Vec<_> = sessions.into_iter().map(spawn).collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                tick(&shared.counters);
                thread::park_timeout(TICK);
            }
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        tick(&shared.counters);
        let mut pass = Pass {
            tallies: tallies(),
            written: vec![Written::default(); columns],
            problems: shared.problems.into_inner().unwrap_or_else(PoisonError::into_inner),
            stopped: self.stop.is_stopped(),
        };
        for (tallies, written, result) in results {
            pass.tallies.iter_mut().zip(&tallies).for_each(|(sum, tally)| sum.merge(tally));
            pass.written.iter_mut().zip(&written).for_each(|(sum, written)| sum.add(written));
            outcome = outcome.and(result);
        }
        (pass, outcome)
    }

    /// A session for each worker. The application may hold the other connections of the pool: one is enough.
    ///
    /// They are taken before the work begins: a worker that waited for a connection while it has the cursor would wait
    /// for those that wait for the cursor.
    fn sessions<'p, C>(&self, pool: &'p Pool<ConnectionManager<C>>) -> (Vec<Session<'p, C>>, Result<(), TaskError>)
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Dialect,
    {
        let mut sessions = Vec::new();
        for _ in 0..self.workers.clamp(1, pool.max_size().max(1) as usize) {
            let mut session = Session::new(pool, self.give_up_after, self.stop.clone());
            if sessions.is_empty() {
                if let Err(error) = session.run(|_| Ok(())) {
                    return (sessions, Err(error));
                }
            } else if !session.is_available() {
                break;
            }
            sessions.push(session);
        }
        (sessions, Ok(()))
    }
}

struct Shared<'a> {
    walker: &'a Walker<'a>,
    mode: Mode,
    cursor: Mutex<Cursor>,
    counters: Counters,
    problems: Mutex<Problems>,
    failed: AtomicBool,
}

/// How far the pages have been handed out. It is no record of what was done: nothing relies on it but this pass.
struct Cursor {
    table: usize,
    after: Option<Vec<KeyValue>>,
    /// Rows of the next page. It grows from a small one, so that a table of large values does not fill the memory.
    limit: usize,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { table: 0, after: None, limit: FIRST_PAGE }
    }
}

/// A page that was read: the position of its table, the key behind which it begins, and its rows, at least one.
struct Read {
    table: usize,
    after: Option<Vec<KeyValue>>,
    rows: Vec<Row>,
}

struct Worker<'a, C>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    shared: &'a Shared<'a>,
    session: Session<'a, C>,
    tallies: Vec<Tally>,
    written: Vec<Written>,
}

impl<C> Worker<'_, C>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    fn run(&mut self) -> Result<(), TaskError> {
        let throttle = self.shared.walker.throttle;
        while let Some(begun) = throttle.admit(|| self.shared.failed.load(Relaxed)) {
            let Some(Read { table, after, rows }) = self.next_page()? else { break };
            let writing = self.page(table, after.as_deref(), &rows)?;
            throttle.pace(begun, rows.len(), writing);
        }
        Ok(())
    }

    /// Takes the next page. The cursor moves only behind rows that were read: an error is never the end of a table.
    fn next_page(&mut self) -> Result<Option<Read>, TaskError> {
        let Walker { tables, batch, .. } = self.shared.walker;
        let mut cursor = self.shared.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(table) = tables.get(cursor.table) {
            if self.session.is_stopped() || self.shared.failed.load(Relaxed) {
                break;
            }
            let most = batch.unwrap_or(C::Backend::BATCH).clamp(1, table.max_rows(C::Backend::MAX_BINDS));
            let limit = self.shared.walker.throttle.page(cursor.limit.min(most));
            let after = cursor.after.clone();
            let read = self.session.run(|conn| {
                Page { table, after: after.as_deref(), until: None, descending: false, limit }.load::<Row>(conn)
            });
            // While the cursor is held, so that the workers behind do not try for as long again.
            let rows = read.inspect_err(|_| self.shared.failed.store(true, Relaxed))?;
            let index = cursor.table;
            if rows.len() < limit {
                *cursor = Cursor { table: index + 1, ..Cursor::default() };
            } else {
                cursor.after = rows.last().map(|row| row.key.clone());
                match rows.iter().flat_map(|row| &row.cells).flatten().map(|cell| cell.bytes.len()).sum::<usize>() {
                    0..=PAGE => cursor.limit = most.min(2 * limit),
                    _ => cursor.limit = (limit / 2).max(1),
                }
            }
            self.shared.counters.table.store(index, Relaxed);
            if !rows.is_empty() {
                return Ok(Some(Read { table: index, after, rows }));
            }
        }
        Ok(None)
    }

    fn page(&mut self, index: usize, after: Option<&[KeyValue]>, rows: &[Row]) -> Result<Duration, TaskError> {
        let Shared { walker, mode, counters, .. } = self.shared;
        let table = &walker.tables[index];
        let first: usize = walker.tables[..index].iter().map(|table| table.columns.len()).sum();
        let mut changes = Vec::new();
        for row in rows {
            let (tallies, problems) = (&mut self.tallies[first..], &self.shared.problems);
            let see = |column: usize, verdict: Option<&Verdict>| {
                let Some(verdict) = verdict else {
                    tallies[column].null += 1;
                    return;
                };
                tallies[column].add(verdict);
                let kind = match verdict {
                    Verdict::Token { .. } => return,
                    Verdict::Plaintext => ProblemKind::Plaintext,
                    Verdict::Unreadable => ProblemKind::Unreadable,
                };
                counters.bad.fetch_add(1, Relaxed);
                problems.lock().unwrap_or_else(PoisonError::into_inner).add(|| Problem {
                    table: table.name.to_string(),
                    column: table.columns[column].name.clone(),
                    row: table.label(&row.key),
                    kind,
                });
            };
            match mode {
                Mode::Read => Verdict::of_row(row, &walker.keyring, see),
                Mode::DryRun | Mode::Write => changes.extend(Change::of(row, &walker.keyring, see)?),
            }
        }
        let mut writing = Duration::ZERO;
        if *mode == Mode::Write && !changes.is_empty() {
            let began = Instant::now();
            let written = batch::write(&mut self.session, table, &walker.keyring, after, changes)?;
            for (sum, written) in self.written[first..].iter_mut().zip(&written) {
                sum.add(written);
                counters.rewritten.fetch_add(written.rewritten, Relaxed);
            }
            writing = began.elapsed();
        }
        counters.rows.fetch_add(rows.len() as u64, Relaxed);
        Ok(writing)
    }
}
