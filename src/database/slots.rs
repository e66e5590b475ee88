//! Statements with one placeholder per value, for MySQL and SQLite. Their sizes are powers of two and full pages, so
//! that the few statements are prepared once and reused.

use diesel::result::{Error, QueryResult};

use crate::database::checkpoint::Checkpoint;
use crate::database::plan::PlannedTable;
use crate::database::row::Change;
use crate::database::sql::{TextConnection, runtime_statement};

/// Changes in a statement that may have more slots than changes. The spare slots bind `NULL` keys, which match nothing.
pub(crate) struct Slots<'a> {
    pub(crate) table: &'a PlannedTable,
    changes: &'a [Change],
    slots: usize,
}

impl<'a> Slots<'a> {
    /// `full` is the size of a full page, and `max` the most rows that a statement can bind.
    pub(crate) fn new(table: &'a PlannedTable, changes: &'a [Change], full: usize, max: usize) -> Self {
        let count = changes.len();
        let rounded = count.next_power_of_two();
        let slots = if count <= full { rounded.min(full) } else { rounded }.min(max).max(count);
        Self { table, changes, slots }
    }

    /// Yields each change with `false`. For each spare slot, it then yields the first change with `true`: bind its
    /// types, not its values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a Change, bool)> {
        let filled = self.changes.iter().map(|change| (change, false));
        let spare = self.slots - self.changes.len();
        filled.chain(std::iter::repeat_n(&self.changes[0], spare).map(|change| (change, true)))
    }
}

runtime_statement!(Slots<'_>);

/// Swaps in a transaction with the checkpoint. The checkpoint comes first, because it locks the claim. On SQLite it
/// also makes the transaction the only writer.
pub(crate) fn in_transaction<C: TextConnection>(
    conn: &mut C,
    checkpoint: Option<&Checkpoint>,
    swap: impl FnOnce(&mut C) -> QueryResult<usize>,
) -> QueryResult<Option<usize>> {
    conn.transaction(|conn| match checkpoint {
        Some(checkpoint) if !checkpoint.write(conn)? => Ok(None),
        _ => swap(conn).map(Some),
    })
}

/// A token for a text column. It was read as text, so it is UTF-8.
pub(crate) fn text(token: &[u8]) -> QueryResult<&str> {
    std::str::from_utf8(token).map_err(|error| Error::QueryBuilderError(error.into()))
}
