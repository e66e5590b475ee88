use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{Array, BigInt, Text};

use super::{Batch, Database, queries};

impl Database for PgConnection {
    const NAME: &'static str = "PostgreSQL";
    const SESSION: &'static str = "set client_min_messages = warning";
    /// This timeout is longer than the server takes to detect a deadlock.
    const APPLICATION: &'static str = "set lock_timeout = '3s'";
    const WRITERS: usize = 4;
    /// Packs the table, because free space from an earlier rotation would make the next one faster.
    const SETTLE: &'static [&'static str] = &["vacuum full bench_people", "vacuum analyze bench_people", "checkpoint"];

    fn settings(&mut self) -> String {
        let text = "(select string_agg(name || '=' || current_setting(name), ', ' order by name) from pg_settings \
                    where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'shared_buffers', \
                    'max_wal_size', 'wal_level', 'autovacuum', 'autovacuum_naptime', 'server_version'))";
        diesel::select(sql::<Text>(text)).get_result(self).unwrap()
    }

    queries!();
}

impl<const ROWS: usize> QueryFragment<Pg> for Batch<'_, ROWS> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE bench_people t SET email = v.n0, ssn = v.n1 FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.ids)?;
        for tokens in &self.tokens {
            out.push_sql(", ");
            out.push_bind_param::<Array<Text>, _>(tokens)?;
        }
        out.push_sql(") AS v (id, o0, n0, o1, n1) WHERE t.id = v.id AND t.email = v.o0 AND t.ssn = v.o1");
        Ok(())
    }
}
