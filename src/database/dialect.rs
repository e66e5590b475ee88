//! What differs between the databases.

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::expression::QueryMetadata;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;
use diesel::sql_types::Untyped;

use crate::database::checkpoint::Checkpoint;
use crate::database::connection::Conn;
use crate::database::estimate::TableEstimate;
use crate::database::guard_kind::GuardKind;
use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::database::replication::{Primary, Replication, Standing};
use crate::database::row::{Cell, Change, KeyValue};
use crate::database::side_effects::SideEffects;
use crate::database::table::{Catalogue, KeyColumn};
use crate::fields::backend::TokenBackend;
use crate::targets::TableName;

/// A backend on which the task runs: Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature. Sealed, as
/// [`TokenBackend`] is.
///
/// The methods are not part of the public interface.
pub trait Dialect: TokenBackend + QueryMetadata<Untyped> + 'static {
    /// Rows of a page, and so of a write.
    #[doc(hidden)]
    const BATCH: usize;
    /// The most values that a statement may bind.
    #[doc(hidden)]
    const MAX_BINDS: usize;
    /// Whether an index serves `(a, b) > (x, y)`.
    #[doc(hidden)]
    const ROW_VALUES: bool;
    /// Whether names that differ in case are the same name.
    #[doc(hidden)]
    const FOLDS_CASE: bool;
    /// Settings of a session of the task, with their values. Names that the server does not know are left out.
    #[doc(hidden)]
    const SETTINGS: &'static [(&'static str, &'static str)];

    /// The current values of those settings that the server knows.
    #[doc(hidden)]
    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>>;

    /// Changes a setting of the session.
    #[doc(hidden)]
    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()>;

    /// What the catalogue knows of a table; `None` if there is no such table.
    #[doc(hidden)]
    fn catalogue<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<Catalogue>>;

    /// What an update of the table's encrypted columns would set off in this session.
    #[doc(hidden)]
    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects>;

    /// What rewriting every row of the table would cost. Reads no row.
    #[doc(hidden)]
    fn estimate<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<TableEstimate>;

    /// Rows of a table, where its catalogue has no estimate: by counting them.
    #[doc(hidden)]
    fn rows<C: Conn<Self>>(_conn: &mut C, table: &PlannedTable) -> QueryResult<Option<u64>> {
        Ok(table.rows)
    }

    /// What else in the database would change with the values of the columns, or keeps them from changing, in words.
    #[doc(hidden)]
    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>>;

    /// Bytes of the longest value of a column that does not set out to be a token. Reads every row.
    #[doc(hidden)]
    fn longest_plaintext<C: Conn<Self>>(
        conn: &mut C,
        table: &TableName,
        column: &PlannedColumn,
    ) -> QueryResult<Option<u64>>;

    /// What keeps plaintext out of a column.
    #[doc(hidden)]
    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>>;

    /// How to have a table re-encrypted without its triggers, in words for the operator.
    #[doc(hidden)]
    const WITHOUT_TRIGGERS: &'static str;

    /// Whether a lock is one of rows, and not of the whole database.
    #[doc(hidden)]
    const LOCKS_ROWS: bool;

    /// Whether the database gave up a statement because of somebody else's lock. Diesel has no kind for that error: its
    /// message tells.
    #[doc(hidden)]
    fn is_lock_conflict(message: &str) -> bool;

    /// Whether a statement took longer than it may.
    #[doc(hidden)]
    fn is_timeout(_message: &str) -> bool {
        false
    }

    /// A column of the row key in a select list.
    #[doc(hidden)]
    fn push_key_output(column: &KeyColumn, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// An encrypted column in a select list.
    #[doc(hidden)]
    fn push_cell_output(column: &str, is_text: bool, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()>;

    /// A value of the row key as a parameter.
    #[doc(hidden)]
    fn push_key<'b>(value: &'b KeyValue, column: &'b KeyColumn, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>;

    #[doc(hidden)]
    fn read_key(value: Self::RawValue<'_>) -> deserialize::Result<KeyValue>;

    #[doc(hidden)]
    fn read_cell(value: Self::RawValue<'_>) -> deserialize::Result<Cell>;

    /// Writes each change whose row still holds the old tokens, byte for byte, together with the checkpoint; returns how
    /// many those were, or `None` if the claim of the checkpoint was taken over, and then nothing is written.
    ///
    /// It never waits for a row that somebody has locked: it fails, or leaves out such rows if it `skips_locked`.
    #[doc(hidden)]
    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<Checkpoint<'_>>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>>;

    /// Whether this server makes a swap wait for locked rows unless it skips them.
    #[doc(hidden)]
    fn waits_for_rows<C: Conn<Self>>(conn: &mut C) -> QueryResult<bool>;

    /// The setting that says how long to wait for locks, and its value for the task's own tables.
    #[doc(hidden)]
    const PATIENT: (&'static str, &'static str);
    /// Milliseconds since 1970, a whole number.
    #[doc(hidden)]
    const NOW: &'static str;
    /// The type of a text of any length.
    #[doc(hidden)]
    const TEXT: &'static str;
    /// Whether the task shares its work through tables of its own, unless told otherwise.
    #[doc(hidden)]
    const SHARES: bool;

    #[doc(hidden)]
    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>;

    #[doc(hidden)]
    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String>;

    /// Begins a transaction that reads one snapshot: that of `shared`, or a new one. Returns its name if other sessions
    /// can share it. The tables keep their shape until it ends.
    #[doc(hidden)]
    fn begin_snapshot<C: Conn<Self>>(
        conn: &mut C,
        tables: &[PlannedTable],
        shared: Option<&str>,
    ) -> QueryResult<Option<String>>;

    /// How many fences one after the other it takes until nothing is open that began before the first.
    #[doc(hidden)]
    const FENCES: usize = 1;

    /// A point in time for [`older_than`](Dialect::older_than).
    #[doc(hidden)]
    fn fence<C: Conn<Self>>(conn: &mut C) -> QueryResult<String>;

    /// The transactions that began before the fence and are not over, in words for the operator.
    #[doc(hidden)]
    fn older_than<C: Conn<Self>>(conn: &mut C, fence: &str) -> QueryResult<Vec<String>>;

    /// Who can tell how far replicas are behind.
    #[doc(hidden)]
    const REPLICATION: Replication;

    /// The end of the log, and the replicas that are connected; `None` if the server does not know.
    #[doc(hidden)]
    fn primary<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<Primary>>;

    /// How far a replica has come, by its own account: for each channel from which it replicates.
    #[doc(hidden)]
    fn standings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<Standing>>;
}

/// Pushes what `each` writes for every item, with `separator` between.
pub(crate) fn push_all<'b, DB: Backend, T>(
    items: impl IntoIterator<Item = T>,
    separator: &str,
    out: &mut AstPass<'_, 'b, DB>,
    mut each: impl FnMut(T, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push_sql(separator);
        }
        each(item, out)?;
    }
    Ok(())
}

/// Pushes `t."name"`: always qualified, so that an output alias is never taken for the column.
pub(crate) fn push_column<DB: Backend>(name: &str, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    out.push_sql("t.");
    out.push_identifier(name)
}

/// Pushes the table's name, with its schema if there is one.
pub(crate) fn push_table<DB: Backend>(table: &TableName, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    if let Some(schema) = table.schema() {
        out.push_identifier(schema)?;
        out.push_sql(".");
    }
    out.push_identifier(table.name())
}

/// Pushes `UPDATE table SET column = column, …`: an update of the encrypted columns that changes nothing.
pub(crate) fn push_idle_update<DB: Backend>(table: &PlannedTable, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    out.push_sql("UPDATE ");
    push_table(&table.name, out)?;
    out.push_sql(" SET ");
    push_all(&table.columns, ", ", out, |column, out| {
        out.push_identifier(&column.name)?;
        out.push_sql(" = ");
        out.push_identifier(&column.name)
    })
}

/// Pushes `column = coalesce(v.n0, t.column), …`: the new token, or what the column has.
pub(crate) fn push_assignments<DB: Backend>(
    table: &PlannedTable,
    push_target: impl Fn(&str, &mut AstPass<'_, '_, DB>) -> QueryResult<()>,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    push_all(table.columns.iter().enumerate(), ", ", out, |(index, column), out| {
        push_target(&column.name, out)?;
        out.push_sql(&format!(" = coalesce(v.n{index}, "));
        push_column(&column.name, out)?;
        out.push_sql(")");
        Ok(())
    })
}

/// Pushes `t.key = v.k0 AND …`, each value of the swap with the cast that it needs.
pub(crate) fn push_key_match<DB: Backend>(
    table: &PlannedTable,
    push_cast: impl Fn(&KeyColumn, &mut AstPass<'_, '_, DB>),
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    push_all(table.row_key.iter().enumerate(), " AND ", out, |(index, column), out| {
        push_column(&column.name, out)?;
        out.push_sql(&format!(" = v.k{index}"));
        push_cast(column, out);
        Ok(())
    })
}

/// The names of the values of a swap: `k0, k1, o0, n0, o1, n1`, the row key and each column's old and new token.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn value_names(table: &PlannedTable) -> String {
    let keys = (0..table.row_key.len()).map(|index| format!("k{index}"));
    let tokens = (0..table.columns.len()).map(|index| format!("o{index}, n{index}"));
    keys.chain(tokens).collect::<Vec<_>>().join(", ")
}
