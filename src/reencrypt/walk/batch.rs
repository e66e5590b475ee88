//! Writes one batch of rows, and reads the rows again if the write did not change all of them.

use std::time::{Duration, Instant};

use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};

use crate::database::clock::CLOCKS;
use crate::database::failure::without_secrets;
use crate::database::session::Info;
use crate::database::swap::write_nothing;
use crate::database::{
    Change, Checkpoint, Circle, ErrorClass, Failure, KeyValue, Locks, Page, PlannedTable, Row, Session, Swap, SwapRows,
    TaskConnection,
};
use crate::keys::Rotation;
use crate::reencrypt::report::{Job, Standing, TaskError, Verdict, Written};
use crate::reencrypt::run::Range;
use crate::reencrypt::walk::decision::decide;
use crate::reencrypt::walk::shared::Shared;
use crate::reencrypt::walk::weight::{TEXT_OF_A_ROW, weight_of};
use crate::targets::printable;

/// How often a batch is read and written again if values change in between. After that, it is left for the next pass.
const ROUNDS: usize = 8;
/// How often locked rows are tried before they are left for the next pass, and the pause in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// The most bytes of values in one statement: a quarter of what MariaDB accepts by default.
const STATEMENT: u64 = 4 << 20;
/// After a locked row, this many writes use the slower statement, which skips locked rows.
const CAUTION: u32 = 100;
/// The most rows that the database may refuse one after another. If it refuses more, the rows are not the reason: the
/// disk may be full.
const REFUSED: usize = 1_000;
/// The caution for servers on which the faster statement would wait for locked rows.
pub(crate) const ALWAYS_CAUTIOUS: u32 = u32::MAX;

impl Change {
    /// The columns to write, by their position.
    pub(super) fn needed(&self) -> impl Iterator<Item = (usize, &Swap)> {
        self.swaps.iter().enumerate().filter_map(|(column, swap)| Some((column, swap.as_ref()?)))
    }
}

pub(crate) struct BatchOutcome {
    /// One entry per column.
    pub(crate) written: Vec<Written>,
    /// The date of the newest token that the application wrote meanwhile and that the task must rewrite.
    pub(crate) newest_stale: Option<u64>,
    /// Whether rows are left for the next pass.
    pub(crate) is_left: bool,
    /// Whether another process has taken over the range, so that this one must not write in it.
    pub(crate) is_taken: bool,
}

/// Rows that the database refuses to change.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) keys: Vec<Vec<KeyValue>>,
    /// The message for one of them, if the reason is not a constraint.
    reason: Option<String>,
}

/// Writes batches of one table.
pub(crate) struct Batches<'a, 'k, 'p, C: TaskConnection> {
    pub(crate) shared: &'a Shared<'k, C>,
    pub(crate) session: &'a mut Session<'p, C>,
    pub(crate) table: &'a PlannedTable,
    pub(crate) rotation: &'a mut Rotation<'k>,
    /// Every write includes the checkpoint.
    pub(crate) checkpoint: Option<&'a Checkpoint>,
    /// How many writes still use the statement that skips locked rows, because some rows were locked recently.
    pub(crate) cautious: &'a mut u32,
    /// How many rows the database has refused since the last successful write.
    pub(crate) refused: &'a mut usize,
}

impl<C: TaskConnection> Batches<'_, '_, '_, C> {
    /// Writes `changes`, which are all in this range. If the application changed values meanwhile, decides and writes
    /// again.
    pub(crate) fn write(&mut self, range: &Range, mut changes: Vec<Change>) -> Result<BatchOutcome, TaskError> {
        let written = vec![Written::default(); self.table.columns.len()];
        let mut outcome = BatchOutcome { written, newest_stale: None, is_left: false, is_taken: false };
        let mut refused = Refused::default();
        let mut locked = 0;
        let job = self.shared.settings.job;
        let now = self.shared.clock.seconds();
        for _ in 0..ROUNDS {
            let Some(swapped) = self.swap_batch(&changes, &mut refused)? else {
                return Ok(BatchOutcome { is_taken: true, ..outcome });
            };
            if swapped == changes.len() {
                changes
                    .iter()
                    .flat_map(Change::needed)
                    .for_each(|(column, swap)| outcome.written[column].rewritten += swap.values);
                changes.clear();
                break;
            }
            // Some rows have changed, are locked, or cannot be written. Only their values show which.
            let rows = self.read(range)?;
            let is_same = compare(&changes, &rows, &refused.keys, &mut outcome.written);
            changes.clear();
            for row in rows.iter().filter(|row| !refused.keys.contains(&row.key)) {
                changes.extend(decide(row, self.table, job, self.rotation, now, |_, verdict| match verdict {
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
        changes.iter().flat_map(Change::needed).for_each(|(column, swap)| outcome.written[column].busy += swap.values);
        Ok(outcome)
    }

    /// Swaps. If no row can be written, finds out whether the rows are the reason.
    fn swap_batch(&mut self, changes: &[Change], refused: &mut Refused) -> Result<Option<usize>, TaskError> {
        let before = refused.keys.len();
        let swapped = self.swap(changes, refused)?;
        let is_all = !changes.is_empty() && refused.keys.len() - before == changes.len() && !self.session.is_stopped();
        let Some(reason) = refused.reason.take().filter(|_| is_all) else {
            *self.refused = 0;
            return Ok(swapped);
        };
        let table = self.table;
        let probed = self.session.once(|conn| write_nothing(conn, table))?;
        let mut is_unknown = false;
        match probed {
            Err(error @ DieselError::DatabaseError(..)) if self.session.is_connected() => {
                match self.session.class(&error) {
                    ErrorClass::Lock => *self.refused += changes.len(),
                    ErrorClass::Unknown => is_unknown = true,
                    ErrorClass::Denied => return Err(Failure::denied(error).into()),
                    _ => return Err(Failure::database(error).into()),
                }
            }
            _ => *self.refused += changes.len(),
        }
        if is_unknown || *self.refused > REFUSED {
            tracing::warn!(table = %printable(&table.name), reason, "the database refuses one row after another: trying again");
            refused.keys.truncate(before);
            return Ok(self.keep_swapping(changes)?);
        }
        Ok(swapped)
    }

    /// Swaps in one statement. Returns `None` if another process has taken over the range. If some rows make the
    /// statement fail, swaps each half on its own, down to single rows.
    pub(super) fn swap(&mut self, changes: &[Change], refused: &mut Refused) -> Result<Option<usize>, TaskError> {
        let longest = self.session.longest_statement()?;
        let size: u64 = changes.iter().map(|change| weight_of(change, self.table)).sum();
        match changes {
            [change] if size > longest => return self.swap_large(change, longest, refused),
            [_] => {}
            _ if size > longest.min(STATEMENT) || changes.len() as u64 * TEXT_OF_A_ROW > longest => {
                return self.swap_halves(changes, refused);
            }
            _ => {}
        }
        let started = Instant::now();
        let error = match self.try_swap(changes)? {
            Ok(swapped) => {
                self.shared.batch_size.wrote(changes.len(), started.elapsed());
                return Ok(swapped);
            }
            Err(error) if self.session.is_connected() => error,
            Err(_) => return Ok(self.keep_swapping(changes)?),
        };
        let class = self.session.class(&error);
        let (kind, info) = match error {
            error if class == ErrorClass::Denied => return Err(Failure::denied(error).into()),
            DieselError::DatabaseError(kind, info) if is_about_rows(&kind) => (kind, info),
            _ => return Ok(self.keep_swapping(changes)?),
        };
        let is_locked = class == ErrorClass::Lock;
        if is_locked {
            if !C::Backend::LOCKS_ROWS {
                return Ok(self.keep_swapping(changes)?);
            }
            if *self.cautious == 0 {
                *self.cautious = CAUTION;
                return self.swap(changes, refused);
            }
        }
        self.shared.batch_size.conflict();
        if let [change] = changes {
            if class == ErrorClass::Timeout {
                return Ok(self.keep_swapping(changes)?);
            }
            self.refuse(change, DieselError::DatabaseError(kind, info), refused);
            return Ok(Some(0));
        }
        let before = refused.keys.len();
        let swapped = self.swap_halves(changes, refused)?;
        if is_locked && refused.keys.len() - before == changes.len() && !self.session.is_stopped() {
            refused.keys.truncate(before);
            return Ok(self.keep_swapping(changes)?);
        }
        Ok(swapped)
    }

    /// Leaves a row for the next pass.
    pub(super) fn refuse(&mut self, change: &Change, error: DieselError, refused: &mut Refused) {
        let class = self.session.class(&error);
        let (is_constraint, reason) = match &error {
            DieselError::DatabaseError(kind, info) => {
                (is_constraint(kind), shown(&**info, class, self.shared.settings.job))
            }
            error => (false, error.to_string()),
        };
        let row = self.table.label(&change.key);
        tracing::warn!(table = %printable(&self.table.name), row, reason, "row left for the next pass");
        refused.keys.push(change.key.clone());
        if class != ErrorClass::Lock && !is_constraint {
            refused.reason = Some(reason);
        }
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
        let table = self.table;
        let checkpoint = self.checkpoint;
        self.session.once(|conn| C::Backend::swap(conn, table, changes, checkpoint, skips_locked))
    }

    /// Swaps, and tries again until the swap succeeds or it is time to give up.
    fn keep_swapping(&mut self, changes: &[Change]) -> Result<Option<usize>, Failure> {
        let table = self.table;
        let checkpoint = self.checkpoint;
        let job = self.shared.settings.job;
        self.session.run_hiding(
            |conn| C::Backend::swap(conn, table, changes, checkpoint, C::Backend::LOCKS_ROWS),
            |info, class| shown(info, class, job),
        )
    }

    fn read(&mut self, range: &Range) -> Result<Vec<Row>, TaskError> {
        let limit = C::Backend::BATCH;
        let mut rows: Vec<Row> = Vec::new();
        let mut circle = Circle::new();
        loop {
            let after = rows.last().map(|row| row.key.clone()).or_else(|| range.after.clone());
            let mut page = Page::new(self.table, limit);
            page.after = after.as_deref();
            page.until = range.until.as_deref();
            let read: Vec<Row> = self.session.run(|conn| page.rows(conn))??;
            let is_last = read.len() < limit;
            if let Some(last) = read.last() {
                circle.step(self.table, &last.key)?;
            }
            rows.extend(read);
            if is_last {
                return Ok(rows);
            }
        }
    }
}

/// Counts the changes that were written, and the changes that came too late. `rows` are the rows as they are now.
/// Returns whether all other values are unchanged, which means that their rows are locked or `refused`. Both lists are in the order
/// of the row key.
fn compare(changes: &[Change], rows: &[Row], refused: &[Vec<KeyValue>], written: &mut [Written]) -> bool {
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
                Some(cell) if cell.bytes == swap.new.bytes => written[column].rewritten += swap.values,
                Some(cell) if *cell == swap.old && refused.contains(&change.key) => {
                    written[column].busy += swap.values;
                }
                Some(cell) if *cell == swap.old => {}
                _ => {
                    written[column].raced += swap.values;
                    is_same = false;
                }
            }
        }
    }
    is_same
}

/// The part of a server's message that may be shown. The message could quote a value, whole or truncated. Tokens can be
/// recognised and hidden, but plaintext cannot.
pub(super) fn shown(info: &Info, class: ErrorClass, job: Job) -> String {
    if !job.handles_plaintext() || class != ErrorClass::Other {
        return without_secrets(info.message());
    }
    match info.constraint_name() {
        Some(constraint) => format!("the constraint {constraint} refuses the change"),
        None => {
            "the database refuses the change because of a constraint, a trigger, or the type of a column. Its message \
                 is not shown, because it could quote the value"
                .into()
        }
    }
}

fn is_constraint(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
    matches!(kind, CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation)
}

/// Whether a write of other rows could succeed.
fn is_about_rows(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    !matches!(kind, ClosedConnection | ReadOnlyTransaction | UnableToSendCommand)
}
