//! Writing a batch to SQLite: an update from a list of values.

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::database::quote::{push_all, push_column, push_table, quoted};
use crate::database::slots::{in_transaction, text};
use crate::database::sqlite::rows::push_slot_key;
use crate::database::swap::{push_assignments, push_key_match, push_unless_exempt, value_names};
use crate::database::{Cell, Change, Checkpoint, Conn, PlannedTable, Slots, SwapRows};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::sqlite::BEGINS_IN_EITHER_FORM;

impl SwapRows for Sqlite {
    const BATCH: usize = 1000;
    const MAX_BINDS: usize = 32_766;
    const STATEMENT_LIMIT: &'static str = "SQLITE_LIMIT_LENGTH";

    /// Each value has a limit of its own, and a value that could be read has met it.
    fn longest_statement<C: Conn<Self>>(_conn: &mut C) -> QueryResult<u64> {
        Ok(u64::MAX)
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<&Checkpoint>,
        _skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        let slots = Slots::new(table, changes, Self::BATCH, table.max_rows(Self::MAX_BINDS));
        match checkpoint {
            None => slots.execute(conn).map(Some),
            Some(_) => in_transaction(conn, checkpoint, |conn| slots.execute(conn)),
        }
    }
}

/// `WITH v AS (VALUES (?, …), …) UPDATE t SET column = new FROM v WHERE key = … AND column IS old`
impl QueryFragment<Sqlite> for Slots<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let PlannedTable { name, columns, .. } = self.table;
        out.push_sql("WITH v (");
        out.push_sql(&value_names(self.table));
        out.push_sql(") AS (VALUES ");
        push_all(self.iter(), ", ", &mut out, |(change, is_spare), out| {
            out.push_sql("(");
            push_all(&change.key, ", ", out, |value, out| push_slot_key(value, is_spare, out))?;
            for swap in &change.swaps {
                let swap = swap.as_ref().filter(|_| !is_spare);
                for cell in [swap.map(|swap| &swap.old), swap.map(|swap| &swap.new)] {
                    out.push_sql(", ");
                    match cell {
                        // Each value has its own type, and a text never equals a blob.
                        Some(Cell { bytes, is_text: true, .. }) => out.push_bind_param::<Text, _>(text(bytes)?)?,
                        Some(Cell { bytes, is_text: false, .. }) => out.push_bind_param::<Binary, _>(bytes)?,
                        None => out.push_bind_param::<Nullable<Text>, _>(&None::<&str>)?,
                    }
                }
            }
            out.push_sql(")");
            Ok(())
        })?;
        out.push_sql(") UPDATE ");
        push_table(name, &mut out)?;
        out.push_sql(" AS t SET ");
        push_assignments(self.table, |name, out| out.push_identifier(name), |_| "", &mut out)?;
        out.push_sql(" FROM v WHERE ");
        push_key_match(self.table, |_, _| {}, &mut out)?;
        for (index, column) in columns.iter().enumerate() {
            out.push_sql(&format!(" AND (v.n{index} IS NULL OR "));
            push_column(&column.name, &mut out)?;
            // Compares byte for byte, even if the column has another collation.
            out.push_sql(&format!(" = v.o{index} COLLATE BINARY)"));
            let value = format!("CAST(t.{} AS BLOB)", quoted::<Sqlite>(&column.name));
            let plaintext = format!("NOT ({})", filled(BEGINS_IN_EITHER_FORM, &value));
            push_unless_exempt(column, index, &plaintext, &mut out);
        }
        Ok(())
    }
}
