//! The batch that one would write by hand for this one table: what is fastest on each database, with the new tokens
//! ready. It swaps on the old tokens too; without that, writes of the application would be lost.

use diesel::RunQueryDsl;
use diesel::query_builder::QueryId;

use crate::bench::PlainRow;

pub(crate) struct Floor<'a> {
    old: &'a [PlainRow],
    new: &'a [[String; 2]],
    ids: Vec<i64>,
    columns: [Vec<&'a str>; 4],
}

impl<'a> Floor<'a> {
    pub(crate) fn new(old: &'a [PlainRow], new: &'a [[String; 2]]) -> Self {
        let columns = [
            old.iter().map(|row| row.2.as_str()).collect(),
            new.iter().map(|new| new[0].as_str()).collect(),
            old.iter().map(|row| row.3.as_str()).collect(),
            new.iter().map(|new| new[1].as_str()).collect(),
        ];
        Self { old, new, ids: old.iter().map(|row| row.0).collect(), columns }
    }
}

impl QueryId for Floor<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for Floor<'_> {}

#[cfg(feature = "cli-postgres")]
mod postgres {
    use diesel::pg::Pg;
    use diesel::prelude::*;
    use diesel::query_builder::{AstPass, QueryFragment};
    use diesel::sql_types::{Array, BigInt, Text};

    impl QueryFragment<Pg> for super::Floor<'_> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.push_sql("UPDATE bench_people t SET email = v.n0, ssn = v.n1 FROM unnest(");
            out.push_bind_param::<Array<BigInt>, _>(&self.ids)?;
            for column in &self.columns {
                out.push_sql(", ");
                out.push_bind_param::<Array<Text>, _>(column)?;
            }
            out.push_sql(") AS v (id, o0, n0, o1, n1) WHERE t.id = v.id AND t.email = v.o0 AND t.ssn = v.o1");
            Ok(())
        }
    }
}

#[cfg(feature = "cli-sqlite")]
mod sqlite {
    use diesel::prelude::*;
    use diesel::query_builder::{AstPass, QueryFragment};
    use diesel::sqlite::Sqlite;

    impl QueryFragment<Sqlite> for super::Floor<'_> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
            out.push_sql("WITH v (id, o0, n0, o1, n1) AS (VALUES ");
            super::push_rows(self, "(", "), (", ")", &mut out)?;
            out.push_sql(") UPDATE bench_people AS t SET email = v.n0, ssn = v.n1 FROM v ");
            out.push_sql("WHERE t.id = v.id AND t.email = v.o0 AND t.ssn = v.o1");
            Ok(())
        }
    }
}

#[cfg(feature = "cli-mysql")]
mod mysql {
    use diesel::mysql::Mysql;
    use diesel::prelude::*;
    use diesel::query_builder::{AstPass, QueryFragment};

    impl QueryFragment<Mysql> for super::Floor<'_> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
            out.push_sql("UPDATE bench_people t JOIN (SELECT id, email AS o0, email AS n0, ssn AS o1, ssn AS n1 ");
            out.push_sql("FROM bench_people WHERE 1 = 0 UNION ALL SELECT ");
            super::push_rows(self, "", " UNION ALL SELECT ", "", &mut out)?;
            out.push_sql(") v ON t.id = v.id AND CAST(t.email AS BINARY) = CAST(v.o0 AS BINARY) ");
            out.push_sql("AND CAST(t.ssn AS BINARY) = CAST(v.o1 AS BINARY) SET t.email = v.n0, t.ssn = v.n1");
            Ok(())
        }
    }
}

/// Pushes `?, ?, ?, ?, ?` for each row.
#[cfg(any(feature = "cli-mysql", feature = "cli-sqlite"))]
fn push_rows<'b, DB>(
    floor: &'b Floor<'_>,
    before: &str,
    between: &str,
    after: &str,
    out: &mut diesel::query_builder::AstPass<'_, 'b, DB>,
) -> diesel::QueryResult<()>
where
    DB: diesel::backend::Backend
        + diesel::sql_types::HasSqlType<diesel::sql_types::BigInt>
        + diesel::sql_types::HasSqlType<diesel::sql_types::Text>,
    i64: diesel::serialize::ToSql<diesel::sql_types::BigInt, DB>,
    String: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
{
    use diesel::sql_types::{BigInt, Text};
    for (index, (old, new)) in floor.old.iter().zip(floor.new).enumerate() {
        out.push_sql(if index == 0 { before } else { between });
        out.push_bind_param::<BigInt, _>(&old.0)?;
        for token in [&old.2, &new[0], &old.3, &new[1]] {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(token)?;
        }
    }
    out.push_sql(after);
    Ok(())
}
