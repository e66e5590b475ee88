//! Whether the rows of a page come in the order of the row key. Otherwise a walk would skip rows, or never end.

use std::fmt;

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::database::connection::DialectConnection;
use crate::database::dialect::{Dialect, RowFormat};
use crate::database::page::{KEY_ALIAS, Page};
use crate::database::plan::PlannedTable;
use crate::database::quote::push_all;
use crate::database::row::{KeyValue, Row};
use crate::database::sql::runtime_statement;
use crate::targets::TableName;

/// A row behind which a walk cannot continue.
#[derive(Debug)]
pub(crate) struct Disorder {
    pub(crate) table: TableName,
    /// The label of the row.
    pub(crate) row: String,
    pub(crate) kind: DisorderKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisorderKind {
    /// The row key is `NULL`, or no statement can send it back.
    Unusable,
    /// The database does not return the row key as it was sent.
    Garbled,
    /// The row does not come behind the rows before it.
    Before,
    /// Another row has the same row key.
    Twice,
}

impl fmt::Display for DisorderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable => {
                "a part of its row key is NULL, or not in the encoding of the database, so no statement can find the \
                 row again. Correct the row key, or remove the row"
            }
            Self::Garbled => {
                "the database does not return its row key as it was sent. Use another unique index, whose columns have \
                 ordinary types"
            }
            Self::Before => {
                "the database sorts it differently from how it compares it. The index of the row key is damaged, or \
                 older than the collation that it uses. Rebuild the index (REINDEX, OPTIMIZE TABLE)"
            }
            Self::Twice => {
                "another row has the same row key, although it should be unique. The index of the row key is damaged. \
                 Find both rows without the index, correct one of them, and rebuild the index"
            }
        })
    }
}

impl Page<'_> {
    /// Loads the rows, and checks their order. A page that follows another one begins with the last row of that page, if
    /// the row is still there: it must be the only one that does not come behind itself.
    ///
    /// The comparison is the server's own, a second time and for every row. So it finds what the index hides: an order
    /// that is not the order of the operators, a row key that changes on its way here and back, and a row key that
    /// exists twice.
    pub(crate) fn rows<C: DialectConnection>(&self, conn: &mut C) -> QueryResult<Result<Vec<Row>, Disorder>> {
        let mut rows: Vec<Row> = self.load(conn)?;
        if let Some(row) = rows.iter().find(|row| !row.key.iter().all(C::Backend::is_key)) {
            return Ok(Err(self.disorder(&row.key, DisorderKind::Unusable)));
        }
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Ok(Err(self.disorder(&pair[0].key, DisorderKind::Twice)));
        }
        let Some(after) = self.after.filter(|_| self.is_checked()) else { return Ok(Ok(rows)) };
        let is_last = |row: &Row| row.key == after && !row.is_behind;
        if rows.first().is_some_and(is_last) {
            rows.remove(0);
            if let Some(row) = rows.iter().find(|row| !row.is_behind || row.key == after) {
                return Ok(Err(self.disorder(&row.key, DisorderKind::Before)));
            }
            return Ok(Ok(rows));
        }
        // The row was deleted, or has got an equal row key, such as another case of the same letters.
        let is_misplaced = |(position, row): &(usize, &Row)| row.key == after || *position > 0 && !row.is_behind;
        if let Some((_, row)) = rows.iter().enumerate().find(is_misplaced) {
            return Ok(Err(self.disorder(&row.key, DisorderKind::Before)));
        }
        let echo = Echo { table: self.table, key: after };
        if !echo.is_true(conn)? {
            return Ok(Err(self.disorder(after, DisorderKind::Garbled)));
        }
        rows.truncate(self.limit);
        Ok(Ok(rows))
    }

    fn disorder(&self, key: &[KeyValue], kind: DisorderKind) -> Disorder {
        Disorder { table: self.table.name.clone(), row: self.table.label(key), kind }
    }
}

/// Notices that a walk comes back to a row key (Brent's algorithm). A cursor that only moves forwards never does.
pub(crate) struct Circle {
    known: Option<Vec<KeyValue>>,
    steps: u64,
    renewed_after: u64,
}

impl Circle {
    pub(crate) fn new() -> Self {
        Self { known: None, steps: 0, renewed_after: 1 }
    }

    /// Notes that the walk is at this row key. Fails if it was there before, soon after it begins to repeat itself.
    pub(crate) fn step(&mut self, table: &PlannedTable, at: &[KeyValue]) -> Result<(), Disorder> {
        if self.known.as_deref() == Some(at) {
            return Err(Disorder { table: table.name.clone(), row: table.label(at), kind: DisorderKind::Before });
        }
        self.steps += 1;
        if self.steps == self.renewed_after {
            self.known = Some(at.to_vec());
            self.steps = 0;
            self.renewed_after *= 2;
        }
        Ok(())
    }
}

/// `SELECT key FROM (SELECT value AS key) AS t`: a row key, as it comes back.
#[derive(Clone, Copy)]
struct Echo<'a> {
    table: &'a PlannedTable,
    key: &'a [KeyValue],
}

impl Echo<'_> {
    /// Whether the row key comes back as it was sent.
    fn is_true<C: DialectConnection>(self, conn: &mut C) -> QueryResult<bool> {
        let rows: Vec<Row> = self.load(conn)?;
        Ok(rows.iter().any(|row| row.key == self.key))
    }
}

impl<DB: Dialect> QueryFragment<DB> for Echo<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let columns = &self.table.row_key;
        out.push_sql("SELECT ");
        push_all(columns.iter().enumerate(), ", ", &mut out, |(index, column), out| {
            DB::push_key_output(column, out)?;
            out.push_sql(&format!(" AS {KEY_ALIAS}{index}"));
            Ok(())
        })?;
        out.push_sql(" FROM (SELECT ");
        push_all(self.key.iter().zip(columns), ", ", &mut out, |(value, column), out| {
            DB::push_key(value, column, out)?;
            out.push_sql(" AS ");
            out.push_identifier(&column.name)
        })?;
        out.push_sql(") AS t");
        Ok(())
    }
}

runtime_statement!(Echo<'_>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::KeyColumn;

    fn table() -> PlannedTable {
        PlannedTable {
            name: TableName::new("t"),
            row_key: vec![KeyColumn::plain("id")],
            index: None,
            columns: Vec::new(),
            keep: Vec::new(),
            rows: None,
            identity: None,
            only: false,
        }
    }

    #[test]
    fn a_walk_that_repeats_itself_is_noticed_soon() {
        for before in [0, 1, 5] {
            for length in [1, 2, 3, 7, 100] {
                let mut circle = Circle::new();
                let keys = (0..).map(|step| if step < before { step } else { before + (step - before) % length });
                let steps = keys.take_while(|key| circle.step(&table(), &[KeyValue::Int(*key)]).is_ok()).count();
                let steps = i64::try_from(steps).unwrap();
                assert!((before + length..=3 * (before + length)).contains(&steps), "{before} {length}: {steps}");
            }
        }
    }

    #[test]
    fn a_walk_forwards_never_ends_as_a_circle() {
        let mut circle = Circle::new();
        assert!((0..10_000).all(|key| circle.step(&table(), &[KeyValue::Int(key)]).is_ok()));
    }
}
