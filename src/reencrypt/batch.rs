//! One page of rows: decide, write, and settle what the write did not change.

use diesel::RunQueryDsl;
use diesel::connection::LoadConnection;
use diesel::r2d2::R2D2Connection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::dialect::Dialect;
use super::error::TaskError;
use super::page::Page;
use super::row::{Change, KeyValue, Row, Swap};
use super::session::Session;
use super::table::PlannedTable;
use super::tally::Written;
use super::verdict::Verdict;
use crate::rotation::Rotation;
use crate::token::Token;

/// How often a page is read and written again when values changed in between. What is left then waits for the next
/// pass.
const ROUNDS: usize = 8;

/// Bytes of tokens in one statement; a quarter of what MariaDB takes by default.
const STATEMENT: usize = 4 << 20;
/// Locked rows of a page after which its other rows are left for the next pass.
const LOCKED: usize = 4;

impl Change {
    /// The columns to write, by their position.
    fn needed(&self) -> impl Iterator<Item = (usize, &Swap)> {
        self.swaps.iter().enumerate().filter_map(|(column, swap)| Some((column, swap.as_ref()?)))
    }

    /// The change that brings a row under the primary key, if it needs one. `see` is told what every cell holds.
    pub(super) fn of(
        row: &Row,
        rotation: &mut Rotation<'_>,
        mut see: impl FnMut(usize, Option<&Verdict>),
    ) -> Result<Option<Self>, TaskError> {
        let mut swaps = Vec::with_capacity(row.cells.len());
        for (index, cell) in row.cells.iter().enumerate() {
            let verdict = cell.as_ref().map(|cell| Verdict::of(cell, &mut rotation.opener));
            see(index, verdict.as_ref());
            swaps.push(match (cell, verdict) {
                (Some(old), Some(Verdict::Token { position: 1.., timestamp, plaintext })) => {
                    let sealed = rotation.sealer.seal(plaintext, timestamp).ok_or_else(unreadable_seal)?;
                    // The form stays: other programs may read this column.
                    let new = if old.holds_text() { sealed.into_text().into_bytes() } else { sealed.into_raw() };
                    Some(Swap { old: old.clone(), new })
                }
                _ => None,
            });
        }
        let needed = swaps.iter().any(Option::is_some);
        Ok(needed.then(|| Self { key: row.key.clone(), swaps }))
    }
}

/// Writes `changes`, which were read behind the key `after`, and again what the application changed meanwhile.
pub(super) fn write<C>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    rotation: &mut Rotation<'_>,
    after: Option<&[KeyValue]>,
    mut changes: Vec<Change>,
) -> Result<Vec<Written>, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    let mut written = vec![Written::default(); table.columns.len()];
    let Some(until) = changes.last().map(|change| change.key.clone()) else { return Ok(written) };
    let mut blocked = Blocked::default();
    for _ in 0..ROUNDS {
        let swapped = swap(session, table, &changes, &mut blocked)?;
        if swapped == changes.len() {
            for (column, _) in changes.iter().flat_map(Change::needed) {
                written[column].rewritten += 1;
            }
            return Ok(written);
        }
        // Some rows changed or could not be written. Which, only the data can tell.
        let rows = read_range(session, table, after, &until)?;
        let mut unseen = rows.iter();
        for change in &changes {
            // Both are in the order of the row key.
            let mut rest = unseen.clone();
            let now = rest.find(|row| row.key == change.key);
            if now.is_some() {
                unseen = rest;
            }
            let is_blocked = blocked.rows.contains(&change.key);
            for (column, swap) in change.needed() {
                let now = now.and_then(|row| row.cells[column].as_ref());
                let count = &mut written[column];
                match () {
                    () if now.is_some_and(|cell| cell.bytes == swap.new) => count.rewritten += 1,
                    () if is_blocked => count.busy += 1,
                    () => count.raced += 1,
                }
            }
        }
        changes.clear();
        for row in rows.iter().filter(|row| !blocked.rows.contains(&row.key)) {
            changes.extend(Change::of(row, rotation, |_, _| {})?);
        }
        if changes.is_empty() || session.is_stopped() {
            break;
        }
    }
    Ok(written)
}

/// Rows of a page that could not be written.
#[derive(Default)]
struct Blocked {
    rows: Vec<Vec<KeyValue>>,
    /// Those of them that somebody else has locked: finding each out took the time that the task waits for a lock.
    locked: usize,
}

/// Swaps in one statement. If the database fails because of some of the rows, in halves, down to those rows.
fn swap<C>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    changes: &[Change],
    blocked: &mut Blocked,
) -> Result<usize, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    if blocked.locked >= LOCKED {
        blocked.rows.extend(changes.iter().map(|change| change.key.clone()));
        return Ok(0);
    }
    let size: usize = changes.iter().flat_map(Change::needed).map(|(_, swap)| 2 * swap.new.len()).sum();
    if size <= STATEMENT || changes.len() == 1 {
        let swap_all = |conn: &mut C| C::Backend::swap(conn, table, changes);
        let reason = match session.once(swap_all)? {
            Ok(swapped) => return Ok(swapped),
            Err(DieselError::DatabaseError(kind, info)) if session.is_connected() && is_about_rows(&kind) => {
                Token::hide_in(info.message())
            }
            Err(_) => return session.run(swap_all),
        };
        let is_locked = C::Backend::is_lock_conflict(&reason);
        if is_locked && !C::Backend::LOCKS_ROWS {
            return session.run(swap_all);
        }
        if let [change] = changes {
            let (row, reason) = (table.label(&change.key), Token::hide_in(&reason));
            tracing::warn!(table = %table.name, row, reason, "row left for the next pass");
            blocked.rows.push(change.key.clone());
            blocked.locked += usize::from(is_locked);
            return Ok(0);
        }
        let (swapped, refused) = (swap_halves(session, table, changes, blocked)?, blocked.rows.len());
        if swapped == 0 && refused >= changes.len() && !is_locked && !session.is_stopped() {
            // Not one row could be written: that is not about rows.
            return Err(TaskError::database(reason));
        }
        return Ok(swapped);
    }
    swap_halves(session, table, changes, blocked)
}

fn swap_halves<C>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    changes: &[Change],
    blocked: &mut Blocked,
) -> Result<usize, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    if session.is_stopped() {
        blocked.rows.extend(changes.iter().map(|change| change.key.clone()));
        return Ok(0);
    }
    let (first, second) = changes.split_at(changes.len() / 2);
    Ok(swap(session, table, first, blocked)? + swap(session, table, second, blocked)?)
}

/// Whether writing other rows could succeed.
fn is_about_rows(kind: &DatabaseErrorKind) -> bool {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    !matches!(kind, ClosedConnection | ReadOnlyTransaction | UnableToSendCommand)
}

fn read_range<C>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    after: Option<&[KeyValue]>,
    until: &[KeyValue],
) -> Result<Vec<Row>, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    let limit = C::Backend::BATCH;
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.key.clone()).or_else(|| after.map(<[_]>::to_vec));
        let page = session.run(|conn| {
            let (after, until) = (after.as_deref(), Some(until));
            Page { table, after, until, descending: false, limit }.load::<Row>(conn)
        })?;
        let is_last = page.len() < limit;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

fn unreadable_seal() -> TaskError {
    TaskError::internal("a value that was just encrypted cannot be read back; the row was not written")
}
