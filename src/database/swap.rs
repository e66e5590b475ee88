//! The parts of a batch's statement that are the same on every database, and an update that changes nothing.

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::database::catalogue::{Comparison, KeyColumn};
use crate::database::condition::is_met;
use crate::database::connection::DialectConnection;
use crate::database::dialect::Language;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::quote::{push_all, push_column, push_table, quoted, quoted_table};
use crate::database::row::{Cell, KeyValue};
use crate::database::sql::runtime_statement;

/// Pushes the name of a table, so that the statement means the rows of this table only.
pub(crate) fn push_rows_of<DB: Backend>(table: &PlannedTable, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    out.push_sql(only(table));
    push_table(&table.name, out)
}

/// What [`push_rows_of`] pushes, as text.
pub(crate) fn rows_of<DB: Language>(table: &PlannedTable) -> String {
    only(table).to_owned() + &quoted_table::<DB>(&table.name)
}

fn only(table: &PlannedTable) -> &'static str {
    if table.only { "ONLY " } else { "" }
}

/// Pushes a column of the row key as the index of the row key compares and sorts it.
pub(crate) fn push_key_column<DB: Backend>(column: &KeyColumn, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    push_column(&column.name, out)?;
    if let Some(compared_as) = &column.compared_as {
        out.push_sql(compared_as);
    }
    Ok(())
}

/// Pushes `column = coalesce(v.n0, t.column), …`: the new token, or the present value of the column.
/// `cast` is the cast that both need.
pub(crate) fn push_assignments<DB: Backend>(
    table: &PlannedTable,
    push_target: impl Fn(&str, &mut AstPass<'_, '_, DB>) -> QueryResult<()>,
    cast: impl Fn(&PlannedColumn) -> &'static str,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    push_all(table.columns.iter().enumerate(), ", ", out, |(index, column), out| {
        let cast = cast(column);
        push_target(&column.name, out)?;
        out.push_sql(&format!(" = coalesce(v.n{index}{cast}, "));
        push_column(&column.name, out)?;
        out.push_sql(cast);
        out.push_sql(")");
        Ok(())
    })
}

/// Pushes `t.key = v.k0 AND …`. `push_cast` adds the cast that a value of the swap needs.
pub(crate) fn push_key_match<DB: Backend>(
    table: &PlannedTable,
    push_cast: impl Fn(&KeyColumn, &mut AstPass<'_, '_, DB>),
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    push_all(table.row_key.iter().enumerate(), " AND ", out, |(index, column), out| {
        push_key_column(column, out)?;
        out.push_sql(&format!(" {} v.k{index}", column.operator(Comparison::Equal)));
        push_cast(column, out);
        Ok(())
    })
}

/// Pushes a condition that holds a swap of plaintext back if plaintext has become right in the row meanwhile. `plaintext`
/// is the condition that the column does not begin as a token does.
pub(crate) fn push_unless_exempt<DB: Backend>(
    column: &PlannedColumn,
    index: usize,
    plaintext: &str,
    out: &mut AstPass<'_, '_, DB>,
) {
    if let Some(is_wrong) = is_wrong(column, plaintext) {
        out.push_sql(&format!(" AND (v.n{index} IS NULL OR {is_wrong})"));
    }
}

/// The condition that a value is no plaintext, or that plaintext is wrong in its row.
pub(crate) fn is_wrong(column: &PlannedColumn, plaintext: &str) -> Option<String> {
    let is_met = is_met(column.plaintext_where.as_deref()?);
    Some(format!("(NOT ({plaintext}) OR {is_met} = '0')"))
}

/// The names of the values of a swap: `k0, k1, o0, n0, o1, n1`. They are the row key and each column's old and new token.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn value_names(table: &PlannedTable) -> String {
    let keys = (0..table.row_key.len()).map(|index| format!("k{index}"));
    let tokens = (0..table.columns.len()).map(|index| format!("o{index}, n{index}"));
    keys.chain(tokens).collect::<Vec<_>>().join(", ")
}

/// A change of one value that does not fit in a statement together with the old value.
#[cfg_attr(not(feature = "mysql"), expect(dead_code))]
pub struct DigestChange<'a> {
    pub(crate) key: &'a [KeyValue],
    /// The position of the column.
    pub(crate) column: usize,
    pub(crate) new: &'a Cell,
    /// The SHA-256 of the old value, in hexadecimal.
    pub(crate) old: String,
}

/// Runs an update that matches no row. It fails if a privilege is missing or the database is read-only, and its error
/// quotes no value.
pub(crate) fn write_nothing<C: DialectConnection>(conn: &mut C, table: &PlannedTable) -> QueryResult<()> {
    Probe(table).execute(conn).map(|_: usize| ())
}

/// Pushes `UPDATE table SET column = column, …`: an update that sets the encrypted columns to their own values.
pub(crate) fn push_idle_update<DB: Backend>(table: &PlannedTable, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    out.push_sql("UPDATE ");
    push_rows_of(table, out)?;
    out.push_sql(" SET ");
    push_all(&table.columns, ", ", out, |column, out| {
        out.push_identifier(&column.name)?;
        out.push_sql(" = ");
        out.push_identifier(&column.name)
    })
}

/// Statements that run nothing, and fail as a walk over this table and its writes would for lack of a privilege.
pub(crate) fn explained<DB: Language>(table: &PlannedTable) -> [String; 2] {
    let name = rows_of::<DB>(table);
    let columns = || table.columns.iter().map(|column| quoted::<DB>(&column.name));
    let read: Vec<String> = table.row_key.iter().map(|key| quoted::<DB>(&key.name)).chain(columns()).collect();
    let kept = table.keep.iter().map(|column| quoted::<DB>(column));
    let written: Vec<String> = columns().chain(kept).map(|column| format!("{column} = {column}")).collect();
    [
        format!("EXPLAIN SELECT {} FROM {name}", read.join(", ")),
        format!("EXPLAIN UPDATE {name} SET {} WHERE 1 = 0", written.join(", ")),
    ]
}

/// `UPDATE table SET a = a, b = b WHERE 1 = 0`
struct Probe<'a>(&'a PlannedTable);

impl<DB: Backend> QueryFragment<DB> for Probe<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        push_idle_update(self.0, &mut out)?;
        out.push_sql(" WHERE 1 = 0");
        Ok(())
    }
}

runtime_statement!(Probe<'_>);
