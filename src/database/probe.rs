//! A write that changes no row: it fails where no write can succeed.

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::database::connection::DialectConnection;
use crate::database::dialect::{Dialect, push_idle_update};
use crate::database::plan::PlannedTable;

/// Fails for want of rights, or in a database that cannot be written to. No row is looked at, so its message quotes no
/// value.
pub(crate) fn write_nothing<C: DialectConnection>(conn: &mut C, table: &PlannedTable) -> QueryResult<()> {
    Probe(table).execute(conn).map(|_: usize| ())
}

/// `UPDATE table SET a = a, b = b WHERE 1 = 0`
struct Probe<'a>(&'a PlannedTable);

impl<DB: Dialect> QueryFragment<DB> for Probe<'_> {
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
