//! A write that changes no row: it fails where no write can succeed.

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::database::connection::DialectConnection;
use crate::database::plan::PlannedTable;
use crate::database::quote::{push_all, push_table};

/// Fails without the privileges to write, or if the database is read-only. It reads no row, so its error quotes no value.
pub(crate) fn write_nothing<C: DialectConnection>(conn: &mut C, table: &PlannedTable) -> QueryResult<()> {
    Probe(table).execute(conn).map(|_: usize| ())
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

impl QueryId for Probe<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for Probe<'_> {}
