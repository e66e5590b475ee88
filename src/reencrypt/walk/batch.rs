//! One page of rows: decide, write, and look again at what the write did not change.

use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError, QueryResult};

use crate::database::checkpoint::Checkpoint;
use crate::database::clock::{CLOCKS, DatabaseClock};
use crate::database::connection::TaskConnection;
use crate::database::dialect::{Dialect, Locks, SwapRows};
use crate::database::failure::Failure;
use crate::database::page::Page;
use crate::database::probe::write_nothing;
use crate::database::row::{Cell, Change, KeyValue, Row, Swap};
use crate::database::session::Session;
use crate::database::table::PlannedTable;
use crate::keys::fernet::token::Token;
use crate::keys::rotation::Rotation;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::tally::Written;
use crate::reencrypt::report::verdict::{Standing, Verdict};
use crate::reencrypt::run::rules::Range;
use crate::reencrypt::walk::pace::Pace;

/// How often a page is read and written again when values changed in between. What is left then waits for the next
/// pass.
const ROUNDS: usize = 8;
/// How often locked rows are tried before they are left for the next pass, and the pause in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes of tokens in one statement; a quarter of what MariaDB takes by default.
const STATEMENT: usize = 4 << 20;
/// Writes after a locked row in which locked rows are left out from the start. It is the slower statement.
const CAUTION: u32 = 100;
/// So many rows can be refused one after the other. If it is more, and none between them is not, it is not about rows: the
/// disk is full.
const REFUSED: usize = 1_000;
/// For servers on which the faster statement would wait for locked rows.
pub(crate) const ALWAYS_CAUTIOUS: u32 = u32::MAX;

impl Change {
    /// The columns to write, by their position.
    fn needed(&self) -> impl Iterator<Item = (usize, &Swap)> {
        self.swaps.iter().enumerate().filter_map(|(column, swap)| Some((column, swap.as_ref()?)))
    }

    /// The change that does the job on a row, if it needs one. `see` is told what every cell holds.
    pub(crate) fn of(
        row: &Row,
        table: &PlannedTable,
        job: Job,
        rotation: &mut Rotation<'_>,
        now: u64,
        mut see: impl FnMut(usize, Option<&Verdict>),
    ) -> Result<Option<Self>, TaskError> {
        let mut swaps = Vec::with_capacity(row.cells.len());
        for (index, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
            let verdict = cell.as_ref().map(|cell| Verdict::of(cell, column, job, &mut rotation.opener));
            see(index, verdict.as_ref());
            let left = verdict.filter(|verdict| verdict.standing(job) == Standing::Left);
            let (Some(old), Some(verdict)) = (cell, left) else {
                swaps.push(None);
                continue;
            };
            let sealer = &mut rotation.sealer;
            let mut seal = |plaintext, timestamp| sealer.seal(plaintext, timestamp).ok_or_else(unreadable_seal);
            let new = match verdict {
                Verdict::Token { plaintext, .. } if job == Job::Decrypt => {
                    Cell::new(plaintext.to_vec(), column.is_text)
                }
                // The form stays: other programs may read this column.
                Verdict::Token { timestamp, plaintext, .. } => match seal(plaintext, timestamp)? {
                    sealed if old.holds_text() => Cell::new(sealed.into_text().into_bytes(), old.is_text),
                    sealed => Cell::new(sealed.into_raw(), old.is_text),
                },
                _ => match seal(&old.bytes, now)? {
                    sealed if column.is_text => Cell::new(sealed.into_text().into_bytes(), true),
                    sealed => Cell::new(sealed.into_raw(), false),
                },
            };
            swaps.push(Some(Swap { old: old.clone(), new }));
        }
        let needed = swaps.iter().any(Option::is_some);
        Ok(needed.then(|| Self { key: row.key.clone(), swaps }))
    }
}

/// What became of a page.
pub(crate) struct Outcome {
    /// One entry per column.
    pub(crate) written: Vec<Written>,
    /// The date of the newest token that the application wrote meanwhile, and that has to be written anew.
    pub(crate) newest_stale: Option<u64>,
    /// Whether rows have to be left for the next pass.
    pub(crate) is_left: bool,
    /// Whether another process has taken over the range: nothing more may be written in it.
    pub(crate) is_taken: bool,
}

/// Rows that the database does not let be changed.
#[derive(Default)]
struct Refused {
    keys: Vec<Vec<KeyValue>>,
    /// Why, of one for which no constraint is the reason.
    reason: Option<String>,
}

/// Writes pages of one table after the other.
pub(crate) struct Batches<'a, 'k, 'p, C: TaskConnection> {
    pub(crate) session: &'a mut Session<'p, C>,
    pub(crate) table: &'a PlannedTable,
    pub(crate) job: Job,
    pub(crate) rotation: &'a mut Rotation<'k>,
    pub(crate) pace: &'a Pace,
    pub(crate) clock: DatabaseClock,
    /// What every write brings up to date with itself.
    pub(crate) checkpoint: Option<Checkpoint<'a>>,
    /// Writes still to come in which locked rows are left out, since some were locked lately.
    pub(crate) cautious: &'a mut u32,
    /// Rows that were refused since the last one that was written.
    pub(crate) refused: &'a mut usize,
}

impl<C: TaskConnection> Batches<'_, '_, '_, C> {
    /// Writes `changes`, all of this range, and again what the application changed meanwhile.
    pub(crate) fn write(&mut self, range: &Range, mut changes: Vec<Change>) -> Result<Outcome, TaskError> {
        let written = vec![Written::default(); self.table.columns.len()];
        let mut outcome = Outcome { written, newest_stale: None, is_left: false, is_taken: false };
        let mut refused = Refused::default();
        let mut locked = 0;
        let now = self.clock.seconds();
        for _ in 0..ROUNDS {
            let Some(swapped) = self.swap_page(&changes, &mut refused)? else {
                return Ok(Outcome { is_taken: true, ..outcome });
            };
            if swapped == changes.len() {
                changes.iter().flat_map(Change::needed).for_each(|(column, _)| outcome.written[column].rewritten += 1);
                changes.clear();
                break;
            }
            let is_refused = |change: &&Change| refused.keys.contains(&change.key);
            for (column, _) in changes.iter().filter(is_refused).flat_map(Change::needed) {
                outcome.written[column].busy += 1;
            }
            // Some rows changed, or somebody holds them, or they cannot be written. Which, only the data can tell.
            let rows = self.read(range)?;
            let is_same = tell(&changes, &rows, &mut outcome.written);
            changes.clear();
            for row in rows.iter().filter(|row| !refused.keys.contains(&row.key)) {
                let job = self.job;
                changes.extend(Change::of(row, self.table, job, self.rotation, now, |_, verdict| match verdict {
                    Some(verdict @ Verdict::Token { timestamp, .. }) if verdict.standing(job) == Standing::Left => {
                        let date = Some(*timestamp).filter(|date| *date <= now + CLOCKS);
                        outcome.newest_stale = outcome.newest_stale.max(date);
                    }
                    _ => {}
                })?);
            }
            locked += u32::from(is_same);
            if changes.is_empty() || locked == TRIES || self.session.is_stopped() {
                break;
            }
            if is_same {
                self.session.pause(PAUSE);
            }
        }
        outcome.is_left = !changes.is_empty() || !refused.keys.is_empty();
        changes.iter().flat_map(Change::needed).for_each(|(column, _)| outcome.written[column].busy += 1);
        Ok(outcome)
    }

    /// Swaps; if not one row can be written, finds out whether that is about rows.
    fn swap_page(&mut self, changes: &[Change], refused: &mut Refused) -> Result<Option<usize>, TaskError> {
        let before = refused.keys.len();
        let swapped = self.swap(changes, refused)?;
        let is_all = !changes.is_empty() && refused.keys.len() - before == changes.len() && !self.session.is_stopped();
        let Some(reason) = refused.reason.take().filter(|_| is_all) else {
            *self.refused = 0;
            return Ok(swapped);
        };
        let table = self.table;
        match self.session.once(|conn| write_nothing(conn, table))? {
            Err(DieselError::DatabaseError(_, info))
                if self.session.is_connected() && !C::Backend::is_lock_conflict(info.message()) =>
            {
                return Err(Failure::database(info.message()).into());
            }
            _ => *self.refused += changes.len(),
        }
        if *self.refused > REFUSED {
            tracing::warn!(table = %table.name, reason, "hardly any row can be written: trying again");
            refused.keys.truncate(before);
            return Ok(self.swap_at_last(changes)?);
        }
        Ok(swapped)
    }

    /// Swaps in one statement; `None` if the range was taken over. If the database fails because of some of the rows, in
    /// halves, down to those rows.
    fn swap(&mut self, changes: &[Change], refused: &mut Refused) -> Result<Option<usize>, TaskError> {
        let bytes = |(_, swap): (usize, &Swap)| swap.old.bytes.len() + swap.new.bytes.len();
        let size: usize = changes.iter().flat_map(Change::needed).map(bytes).sum();
        if size > STATEMENT && changes.len() > 1 {
            return self.swap_halves(changes, refused);
        }
        let started = Instant::now();
        let (kind, info) = match self.try_swap(changes)? {
            Ok(swapped) => {
                self.pace.wrote(changes.len(), started.elapsed());
                return Ok(swapped);
            }
            Err(DieselError::DatabaseError(kind, info)) if self.session.is_connected() && is_about_rows(&kind) => {
                (kind, info)
            }
            Err(_) => return Ok(self.swap_at_last(changes)?),
        };
        let is_locked = C::Backend::is_lock_conflict(info.message());
        if is_locked {
            if !C::Backend::LOCKS_ROWS {
                return Ok(self.swap_at_last(changes)?);
            }
            if *self.cautious == 0 {
                *self.cautious = CAUTION;
                return self.swap(changes, refused);
            }
        }
        self.pace.conflict();
        if let [change] = changes {
            if C::Backend::is_timeout(info.message()) {
                return Ok(self.swap_at_last(changes)?);
            }
            let (row, reason) = (self.table.label(&change.key), shown::<C::Backend>(&*info, self.job));
            tracing::warn!(table = %self.table.name, row, reason, "row left for the next pass");
            refused.keys.push(change.key.clone());
            refused.reason = (!is_locked && !is_constraint(&kind)).then_some(reason).or(refused.reason.take());
            return Ok(Some(0));
        }
        let before = refused.keys.len();
        let swapped = self.swap_halves(changes, refused)?;
        if is_locked && refused.keys.len() - before == changes.len() && !self.session.is_stopped() {
            refused.keys.truncate(before);
            return Ok(self.swap_at_last(changes)?);
        }
        Ok(swapped)
    }

    fn swap_halves(&mut self, changes: &[Change], refused: &mut Refused) -> Result<Option<usize>, TaskError> {
        if self.session.is_stopped() {
            refused.keys.extend(changes.iter().map(|change| change.key.clone()));
            return Ok(Some(0));
        }
        let (first, second) = changes.split_at(changes.len() / 2);
        let Some(swapped) = self.swap(first, refused)? else { return Ok(None) };
        Ok(self.swap(second, refused)?.map(|more| swapped + more))
    }

    fn try_swap(&mut self, changes: &[Change]) -> Result<QueryResult<Option<usize>>, Failure> {
        let skips_locked = *self.cautious > 0;
        *self.cautious = self.cautious.saturating_sub(u32::from(*self.cautious < ALWAYS_CAUTIOUS));
        let (table, checkpoint) = (self.table, self.checkpoint);
        self.session.once(|conn| C::Backend::swap(conn, table, changes, checkpoint, skips_locked))
    }

    /// Again and again, until the database does it or it is time to give up.
    fn swap_at_last(&mut self, changes: &[Change]) -> Result<Option<usize>, Failure> {
        let (table, job, checkpoint) = (self.table, self.job, self.checkpoint);
        self.session.run(|conn| {
            let swapped = C::Backend::swap(conn, table, changes, checkpoint, C::Backend::LOCKS_ROWS);
            swapped.map_err(|error| match error {
                DieselError::DatabaseError(kind, info) => {
                    let message = shown::<C::Backend>(&*info, job);
                    DieselError::DatabaseError(kind, Box::new(message))
                }
                error => error,
            })
        })
    }

    /// The rows of a range as they are now.
    fn read(&mut self, range: &Range) -> Result<Vec<Row>, TaskError> {
        let limit = C::Backend::BATCH;
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.key.clone()).or_else(|| range.after.clone());
            let mut page = Page::new(self.table, limit);
            (page.after, page.until) = (after.as_deref(), range.until.as_deref());
            let read: Vec<Row> = self.session.run(|conn| page.load(conn))?;
            let is_last = read.len() < limit;
            rows.extend(read);
            if is_last {
                return Ok(rows);
            }
        }
    }
}

/// Counts what became of the changes, given the rows as they are now. Whether all that were not written still hold what
/// was to be replaced: then somebody has them locked. Both are in the order of the row key.
fn tell(changes: &[Change], rows: &[Row], written: &mut [Written]) -> bool {
    let mut is_same = true;
    let mut unseen = rows.iter();
    for change in changes {
        let mut rest = unseen.clone();
        let now = rest.find(|row| row.key == change.key);
        if now.is_some() {
            unseen = rest;
        }
        for (column, swap) in change.needed() {
            match now.and_then(|row| row.cells[column].as_ref()) {
                Some(cell) if cell.bytes == swap.new.bytes => written[column].rewritten += 1,
                Some(cell) if *cell == swap.old => {}
                _ => {
                    written[column].raced += 1;
                    is_same = false;
                }
            }
        }
    }
    is_same
}

/// What to show of a message of the server. It could quote a value, whole or cut off, and a token is known by its look,
/// but plaintext is not.
fn shown<DB: Dialect>(info: &(dyn DatabaseErrorInformation + Send + Sync), job: Job) -> String {
    let message = info.message();
    if !job.handles_plaintext() || DB::is_lock_conflict(message) || DB::is_timeout(message) {
        return Token::hide_in(message);
    }
    match info.constraint_name() {
        Some(constraint) => format!("the constraint {constraint} refuses the change"),
        None => {
            "the database refuses the change: a constraint, a trigger, or the type of a column. Its message is not \
                 shown, since it could quote the value"
                .into()
        }
    }
}

fn is_constraint(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
    matches!(kind, CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation)
}

/// Whether writing other rows could succeed.
fn is_about_rows(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    !matches!(kind, ClosedConnection | ReadOnlyTransaction | UnableToSendCommand)
}

fn unreadable_seal() -> Failure {
    Failure::internal("a value that was just encrypted cannot be read back; the row was not written")
}
