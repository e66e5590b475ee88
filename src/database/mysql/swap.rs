//! Writing a batch to MySQL and MariaDB: an update that joins a table of parameters. If necessary, a query locks the
//! rows first.

use diesel::RunQueryDsl;
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{Binary, Nullable, Text};

use crate::database::mysql::rows::push_slot_key;
use crate::database::mysql::settings::NO_WAIT;
use crate::database::quote::{push_all, push_column, push_table, quoted};
use crate::database::slots::{in_transaction, text};
use crate::database::sql::runtime_statement;
use crate::database::swap::{DigestChange, is_wrong, push_assignments, push_key_match, push_unless_exempt};
use crate::database::{Change, Checkpoint, Conn, PlannedTable, Row, RowFormat, SessionSettings, Slots, Sql, SwapRows};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::mysql::is_plaintext;

impl SwapRows for Mysql {
    const BATCH: usize = 500;
    const MAX_BINDS: usize = 65_535;
    const STATEMENT_LIMIT: &'static str = "max_allowed_packet";
    const SWAPS_BY_DIGEST: bool = true;

    /// The server closes a connection on which a packet is longer. A session keeps the limit with which it began.
    fn longest_statement<C: Conn<Self>>(conn: &mut C) -> QueryResult<u64> {
        Sql::new("SELECT CAST(@@max_allowed_packet AS CHAR)").number(conn)
    }

    fn swap_by_digest<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        change: &DigestChange<'_>,
        checkpoint: Option<&Checkpoint>,
    ) -> QueryResult<Option<usize>> {
        in_transaction(conn, checkpoint, |conn| DigestSwap { table, change }.execute(conn))
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<&Checkpoint>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        // Diesel connects with CLIENT_FOUND_ROWS, so the count includes all rows that matched.
        let slots = |changes| Slots::new(table, changes, Self::BATCH, table.max_rows(Self::MAX_BINDS));
        if !skips_locked && checkpoint.is_none() {
            return slots(changes).execute(conn).map(Some);
        }
        in_transaction(conn, checkpoint, |conn| {
            if !skips_locked {
                return slots(changes).execute(conn);
            }
            // With a timeout of 0, MariaDB reports an error at the commit when it skips a row. This query never waits.
            Self::set(conn, "innodb_lock_wait_timeout", "1")?;
            let free = Lock { table, changes }.load::<Row>(conn);
            Self::set(conn, "innodb_lock_wait_timeout", NO_WAIT)?;
            let free = free?;
            let is_free = |change: &&Change| free.iter().any(|row| row.key == change.key);
            let free: Vec<Change> = changes.iter().filter(is_free).cloned().collect();
            if free.is_empty() {
                return Ok(0);
            }
            Slots::new(table, &free, Self::BATCH, table.max_rows(Self::MAX_BINDS)).execute(conn)
        })
    }
}

/// `SELECT key FROM t WHERE key = … OR key = … FOR UPDATE SKIP LOCKED`, in the form that the index serves.
struct Lock<'a> {
    table: &'a PlannedTable,
    changes: &'a [Change],
}

impl QueryFragment<Mysql> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let Self { table, changes } = self;
        // The text depends on the number of rows.
        out.unsafe_to_cache_prepared();
        out.push_sql("SELECT ");
        push_all(table.row_key.iter().enumerate(), ", ", &mut out, |(index, column), out| {
            Mysql::push_key_output(column, out)?;
            out.push_sql(&format!(" AS k{index}"));
            Ok(())
        })?;
        out.push_sql(" FROM ");
        push_table(&table.name, &mut out)?;
        out.push_sql(" AS t");
        push_force_index(table, &mut out)?;
        out.push_sql(" WHERE (");
        push_all(&table.row_key, ", ", &mut out, |column, out| push_column(&column.name, out))?;
        out.push_sql(") IN (");
        push_all(*changes, ", ", &mut out, |change, out| {
            out.push_sql("(");
            push_all(change.key.iter().zip(&table.row_key), ", ", out, |(value, column), out| {
                Mysql::push_key(value, column, out)
            })?;
            out.push_sql(")");
            Ok(())
        })?;
        out.push_sql(") FOR UPDATE SKIP LOCKED");
        Ok(())
    }
}

runtime_statement!(Lock<'_>);

/// `UPDATE (SELECT ?, … UNION ALL SELECT ?, …) v STRAIGHT_JOIN t ON key = … AND column = old SET column = new`
impl QueryFragment<Mysql> for Slots<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let PlannedTable { name, row_key, columns, keep, .. } = self.table;
        out.push_sql("UPDATE (SELECT ");
        // A SELECT without rows gives the parameters the types and collations of the table's own columns.
        push_all(row_key.iter().enumerate(), ", ", &mut out, |(index, column), out| {
            out.push_identifier(&column.name)?;
            out.push_sql(&format!(" AS k{index}"));
            Ok(())
        })?;
        for (index, column) in columns.iter().enumerate() {
            for prefix in ["o", "n"] {
                out.push_sql(", ");
                out.push_identifier(&column.name)?;
                out.push_sql(&format!(" AS {prefix}{index}"));
            }
        }
        out.push_sql(" FROM ");
        push_table(name, &mut out)?;
        out.push_sql(" WHERE 1 = 0");
        for (change, is_spare) in self.iter() {
            out.push_sql(" UNION ALL SELECT ");
            push_all(change.key.iter().zip(row_key), ", ", &mut out, |(value, column), out| {
                push_slot_key(value, column, is_spare, out)
            })?;
            for (swap, column) in change.swaps.iter().zip(columns) {
                let swap = swap.as_ref().filter(|_| !is_spare);
                for token in [swap.map(|swap| &swap.old.bytes), swap.map(|swap| &swap.new.bytes)] {
                    out.push_sql(", ");
                    match (token, column.is_text) {
                        (Some(token), true) => out.push_bind_param::<Text, _>(text(token)?)?,
                        (Some(token), false) => out.push_bind_param::<Binary, _>(token)?,
                        (None, true) => out.push_bind_param::<Nullable<Text>, _>(&None::<&str>)?,
                        (None, false) => out.push_bind_param::<Nullable<Binary>, _>(&None::<&[u8]>)?,
                    }
                }
            }
        }
        out.push_sql(") AS v STRAIGHT_JOIN ");
        push_table(name, &mut out)?;
        out.push_sql(" AS t");
        push_force_index(self.table, &mut out)?;
        out.push_sql(" ON ");
        push_key_match(self.table, |_, _| {}, &mut out)?;
        for (index, column) in columns.iter().enumerate() {
            // Byte for byte: in the default collations `A` equals `a`, and `a` equals `a `.
            out.push_sql(&format!(" AND (v.n{index} IS NULL OR CAST("));
            push_column(&column.name, &mut out)?;
            out.push_sql(&format!(" AS BINARY) = CAST(v.o{index} AS BINARY))"));
            let value = format!("t.{}", quoted::<Mysql>(&column.name));
            push_unless_exempt(column, index, &filled(is_plaintext(column.is_text), &value), &mut out);
        }
        out.push_sql(" SET ");
        push_assignments(self.table, push_column, |_| "", &mut out)?;
        push_kept(keep, &mut out)
    }
}

/// `UPDATE t SET column = new WHERE key = … AND SHA2(column, 256) = digest`
struct DigestSwap<'a> {
    table: &'a PlannedTable,
    change: &'a DigestChange<'a>,
}

impl QueryFragment<Mysql> for DigestSwap<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let Self { table, change } = self;
        let column = &table.columns[change.column];
        out.unsafe_to_cache_prepared();
        out.push_sql("UPDATE ");
        push_table(&table.name, &mut out)?;
        out.push_sql(" AS t");
        push_force_index(table, &mut out)?;
        out.push_sql(" SET ");
        push_column(&column.name, &mut out)?;
        out.push_sql(" = ");
        match column.is_text {
            true => out.push_bind_param::<Text, _>(text(&change.new.bytes)?)?,
            false => out.push_bind_param::<Binary, _>(&change.new.bytes)?,
        }
        push_kept(&table.keep, &mut out)?;
        out.push_sql(" WHERE ");
        push_all(change.key.iter().zip(&table.row_key), " AND ", &mut out, |(value, column), out| {
            push_column(&column.name, out)?;
            out.push_sql(" = ");
            Mysql::push_key(value, column, out)
        })?;
        // The digest of the bytes themselves, in the character set of the column. Where that is not the one in which
        // they were read, nothing matches, unless they are ASCII.
        out.push_sql(" AND SHA2(");
        push_column(&column.name, &mut out)?;
        out.push_sql(", 256) = ");
        out.push_bind_param::<Text, _>(&change.old)?;
        let value = format!("t.{}", quoted::<Mysql>(&column.name));
        if let Some(is_wrong) = is_wrong(column, &filled(is_plaintext(column.is_text), &value)) {
            out.push_sql(&format!(" AND {is_wrong}"));
        }
        Ok(())
    }
}

runtime_statement!(DigestSwap<'_>);

/// Assigned to itself, an `ON UPDATE CURRENT_TIMESTAMP` column keeps its value.
fn push_kept(columns: &[String], out: &mut AstPass<'_, '_, Mysql>) -> QueryResult<()> {
    for column in columns {
        out.push_sql(", ");
        push_column(column, out)?;
        out.push_sql(" = ");
        push_column(column, out)?;
    }
    Ok(())
}

/// Makes the server use the index of the row key. Otherwise, the server would read and lock every row of a small table,
/// and wait for rows that the application has locked.
fn push_force_index(table: &PlannedTable, out: &mut AstPass<'_, '_, Mysql>) -> QueryResult<()> {
    let Some(index) = &table.index else { return Ok(()) };
    out.push_sql(" FORCE INDEX (");
    out.push_identifier(index)?;
    out.push_sql(")");
    Ok(())
}
