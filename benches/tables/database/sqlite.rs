use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::{Batch, Database, push_rows, queries};

impl Database for SqliteConnection {
    const NAME: &'static str = "SQLite";
    const SESSION: &'static str = "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 60000";
    const APPLICATION: &'static str = "pragma busy_timeout = 5000";
    const WRITERS: usize = 1;
    const SETTLE: &'static [&'static str] = &["pragma wal_checkpoint(truncate)"];

    fn settings(&mut self) -> String {
        let text = "'version=' || sqlite_version() || ', journal_mode=wal, synchronous=normal (full in the program)'";
        diesel::select(sql::<Text>(text)).get_result(self).unwrap()
    }

    queries!();
}

impl<const ROWS: usize> QueryFragment<Sqlite> for Batch<'_, ROWS> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("WITH v (id, o0, n0, o1, n1) AS (VALUES ");
        push_rows(self, "(", "), (", ")", &mut out)?;
        out.push_sql(") UPDATE bench_people AS t SET email = v.n0, ssn = v.n1 FROM v ");
        out.push_sql("WHERE t.id = v.id AND t.email = v.o0 AND t.ssn = v.o1");
        Ok(())
    }
}
