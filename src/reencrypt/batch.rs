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
use crate::keyring::Keyring;
use crate::token::Token;

/// How often a page is read and written again when values changed in between. What is left then waits for the next
/// pass.
const ROUNDS: usize = 8;

impl Change {
    /// The change that brings a row under the primary key, if it needs one. `see` is told what every cell holds.
    pub(super) fn of(
        row: &Row,
        keyring: &Keyring,
        mut see: impl FnMut(usize, Option<&Verdict>),
    ) -> Result<Option<Self>, TaskError> {
        let mut swaps = Vec::with_capacity(row.cells.len());
        for (index, cell) in row.cells.iter().enumerate() {
            let verdict = cell.as_ref().map(|cell| Verdict::of(cell, keyring));
            see(index, verdict.as_ref());
            swaps.push(match (cell, verdict) {
                (Some(old), Some(Verdict::Token { position: 1.., timestamp, plaintext })) => {
                    let token = keyring.reseal(&plaintext, timestamp).ok_or_else(unreadable_seal)?;
                    // The form stays: other programs may read this column.
                    let new = if old.holds_text() { token.into_text().into_bytes() } else { token.to_raw() };
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
    keyring: &Keyring,
    after: Option<&[KeyValue]>,
    mut changes: Vec<Change>,
) -> Result<Vec<Written>, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    let mut written = vec![Written::default(); table.columns.len()];
    let Some(until) = changes.last().map(|change| change.key.clone()) else { return Ok(written) };
    let mut blocked = Vec::new();
    for _ in 0..ROUNDS {
        let swapped = swap(session, table, &changes, &mut blocked)?;
        if swapped == changes.len() {
            for_each_swap(&changes, |column, _, _| written[column].rewritten += 1);
            return Ok(written);
        }
        // Some rows changed or were locked. Which, only the data can tell.
        let rows = read_range(session, table, after, &until)?;
        for_each_swap(&changes, |column, key, swap| {
            let now = rows.iter().find(|row| row.key == *key).and_then(|row| row.cells[column].as_ref());
            let count = &mut written[column];
            if now.is_some_and(|cell| cell.bytes == swap.new) {
                count.rewritten += 1;
            } else if blocked.contains(key) {
                count.busy += 1;
            } else {
                count.raced += 1;
            }
        });
        changes.clear();
        for row in rows.iter().filter(|row| !blocked.contains(&row.key)) {
            changes.extend(Change::of(row, keyring, |_, _| {})?);
        }
        if changes.is_empty() {
            break;
        }
    }
    Ok(written)
}

fn for_each_swap(changes: &[Change], mut each: impl FnMut(usize, &Vec<KeyValue>, &Swap)) {
    for change in changes {
        for (column, swap) in change.swaps.iter().enumerate() {
            if let Some(swap) = swap {
                each(column, &change.key, swap);
            }
        }
    }
}

/// Swaps in one statement. If that meets a lock or a constraint, in halves, down to the rows that cannot be written.
fn swap<C>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    changes: &[Change],
    blocked: &mut Vec<Vec<KeyValue>>,
) -> Result<usize, TaskError>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    let swap_all = |conn: &mut C| C::Backend::swap(conn, table, changes);
    let reason = match session.once(swap_all)? {
        Ok(swapped) => return Ok(swapped),
        Err(DieselError::DatabaseError(kind, info)) if is_about_rows::<C::Backend>(&kind, info.message()) => {
            Token::hide_in(info.message())
        }
        Err(_) => return session.run(swap_all),
    };
    if let [change] = changes {
        tracing::warn!(table = %table.name, row = %table.label(&change.key), reason, "row left for the next pass");
        blocked.push(change.key.clone());
        return Ok(0);
    }
    let (first, second) = changes.split_at(changes.len() / 2);
    Ok(self::swap(session, table, first, blocked)? + self::swap(session, table, second, blocked)?)
}

/// Whether the database failed because of some of the rows, so that the others can still be written.
fn is_about_rows<DB: Dialect>(kind: &DatabaseErrorKind, message: &str) -> bool {
    use DatabaseErrorKind::{
        CheckViolation, ExclusionViolation, ForeignKeyViolation, NotNullViolation, RestrictViolation, UniqueViolation,
    };
    match kind {
        CheckViolation | ExclusionViolation | ForeignKeyViolation | NotNullViolation | RestrictViolation
        | UniqueViolation => true,
        _ => DB::is_lock_conflict(message),
    }
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
