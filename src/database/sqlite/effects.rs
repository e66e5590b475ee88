//! The triggers that an update of a table sets off on SQLite.

use diesel::RunQueryDsl;
use diesel::deserialize::QueryableByName;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{Binary, Nullable};
use diesel::sqlite::Sqlite;

use crate::database::dialect::{Effects, SideEffects};
use crate::database::plan::PlannedTable;
use crate::database::sql::{Conn, runtime_statement};
use crate::database::swap::push_idle_update;

impl Effects for Sqlite {
    const WITHOUT_TRIGGERS: &'static str = "drop them while it runs. The application then runs without them, too";

    /// SQLite compiles the triggers into the statement that sets them off, and shows their names.
    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects> {
        let steps: Vec<Step> = Explain(table).load(conn)?;
        let mut effects = SideEffects::default();
        for step in &steps {
            let Some(name) = step.p4.as_deref().and_then(|p4| p4.strip_prefix(b"-- TRIGGER ")) else { continue };
            let name = String::from_utf8_lossy(name).into_owned();
            if !effects.triggers.contains(&name) {
                effects.triggers.push(name);
            }
        }
        Ok(effects)
    }
}

/// `EXPLAIN UPDATE t SET column = column, …`
struct Explain<'a>(&'a PlannedTable);

impl QueryFragment<Sqlite> for Explain<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("EXPLAIN ");
        push_idle_update(self.0, &mut out)
    }
}

runtime_statement!(Explain<'_>);

/// One instruction of the compiled statement.
#[derive(QueryableByName)]
struct Step {
    /// Text that contains the constants of the statement unchanged, so it may not be UTF-8.
    #[diesel(sql_type = Nullable<Binary>)]
    p4: Option<Vec<u8>>,
}
