use diesel::dsl::sql;
use diesel::mysql::{Mysql, MysqlConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::Text;

use super::{Batch, Database, push_rows, queries};

impl Database for MysqlConnection {
    const NAME: &'static str = "MariaDB";
    const SESSION: &'static str = "set max_recursive_iterations = 1000000";
    const APPLICATION: &'static str = "set innodb_lock_wait_timeout = 1";
    const WRITERS: usize = 4;
    /// InnoDB rewrites rows in place and cleans up by itself.
    const SETTLE: &'static [&'static str] = &[];

    fn settings(&mut self) -> String {
        let names = ["innodb_flush_log_at_trx_commit", "innodb_buffer_pool_size", "innodb_log_file_size", "log_bin"];
        let settings = names.map(|name| format!("', {name}=', @@{name}"));
        let text = format!("concat('version=', version(), {})", settings.join(", "));
        diesel::select(sql::<Text>(&text)).get_result(self).unwrap()
    }

    queries!();
}

impl<const ROWS: usize> QueryFragment<Mysql> for Batch<'_, ROWS> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.push_sql("UPDATE bench_people t JOIN (SELECT id, email AS o0, email AS n0, ssn AS o1, ssn AS n1 ");
        out.push_sql("FROM bench_people WHERE 1 = 0 UNION ALL SELECT ");
        push_rows(self, "", " UNION ALL SELECT ", "", &mut out)?;
        out.push_sql(") v ON t.id = v.id AND CAST(t.email AS BINARY) = CAST(v.o0 AS BINARY) ");
        out.push_sql("AND CAST(t.ssn AS BINARY) = CAST(v.o1 AS BINARY) SET t.email = v.n0, t.ssn = v.n1");
        Ok(())
    }
}
