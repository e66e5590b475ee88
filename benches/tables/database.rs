//! The statements and settings of each database.

#[cfg(feature = "cli-mysql")]
mod mysql;
#[cfg(feature = "cli-postgres")]
mod postgres;
#[cfg(feature = "cli-sqlite")]
mod sqlite;

use diesel::connection::{Connection, LoadConnection};
use diesel::query_builder::QueryId;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool, R2D2Connection};
use diesel::{QueryResult, RunQueryDsl};
use diesel_encrypted::reencrypt::Dialect;

use crate::people::{PlainRow, Row};

pub(crate) type Connections<D> = Pool<ConnectionManager<D>>;

pub(crate) trait Database: Connection<Backend: Dialect> + LoadConnection + R2D2Connection + 'static {
    const NAME: &'static str;
    /// The settings of every connection of the benches.
    const SESSION: &'static str;
    /// The settings of an application's connections, which do not wait long for a lock.
    const APPLICATION: &'static str;
    /// The number of threads of the application.
    const WRITERS: usize;
    /// Statements that remove the effects of earlier measurements on the table.
    const SETTLE: &'static [&'static str];

    /// The settings of the server that a figure depends on.
    fn settings(&mut self) -> String;

    /// All rows in the order of the row key.
    fn rows(&mut self) -> Vec<PlainRow>;

    fn encrypted_rows(&mut self) -> Vec<Row>;

    fn row(&mut self, key: i64) -> QueryResult<PlainRow>;

    fn set_email(&mut self, key: i64, token: &str) -> QueryResult<usize>;

    fn swap<const ROWS: usize>(&mut self, batch: Batch<'_, ROWS>) -> QueryResult<usize>;

    fn settle(&mut self) {
        for statement in Self::SETTLE {
            self.batch_execute(statement).unwrap();
        }
    }
}

/// Opens this many connections with the settings of the benches.
pub(crate) fn connect<D: Database>(url: &str, connections: usize) -> Connections<D> {
    let builder = Pool::builder().max_size(connections as u32).connection_customizer(Box::new(Session));
    builder.build(ConnectionManager::new(url)).unwrap()
}

#[derive(Debug)]
struct Session;

impl<D: Database> CustomizeConnection<D, Error> for Session {
    fn on_acquire(&self, conn: &mut D) -> Result<(), Error> {
        conn.batch_execute(D::SESSION).map_err(Error::QueryError)
    }
}

/// The batch that you would write by hand for this one table: the fastest statement of each database, with the new
/// tokens ready. It also swaps on the old tokens, because it would otherwise overwrite writes of the application.
pub(crate) struct Batch<'a, const ROWS: usize> {
    ids: Vec<i64>,
    /// The old and new tokens of the first column, then those of the second.
    tokens: [Vec<&'a str>; 4],
}

impl<'a, const ROWS: usize> Batch<'a, ROWS> {
    pub(crate) fn new(old: &'a [PlainRow], new: &'a [[String; 2]]) -> Self {
        assert!(old.len() == ROWS && new.len() == ROWS);
        let tokens = [
            old.iter().map(|row| row.2.as_str()).collect(),
            new.iter().map(|new| new[0].as_str()).collect(),
            old.iter().map(|row| row.3.as_str()).collect(),
            new.iter().map(|new| new[1].as_str()).collect(),
        ];
        Self { ids: old.iter().map(|row| row.0).collect(), tokens }
    }
}

/// The text depends only on the number of rows, so it is built and prepared once.
impl<const ROWS: usize> QueryId for Batch<'_, ROWS> {
    type QueryId = Batch<'static, ROWS>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<D, const ROWS: usize> RunQueryDsl<D> for Batch<'_, ROWS> {}

/// Methods with the same text but different types on each database.
macro_rules! queries {
    () => {
        fn rows(&mut self) -> Vec<$crate::people::PlainRow> {
            use $crate::people::plain::bench_people::dsl::*;
            bench_people.order(id).load(self).unwrap()
        }

        fn encrypted_rows(&mut self) -> Vec<$crate::people::Row> {
            $crate::people::encrypted::bench_people::table.load(self).unwrap()
        }

        fn row(&mut self, key: i64) -> QueryResult<$crate::people::PlainRow> {
            $crate::people::plain::bench_people::table.find(key).first(self)
        }

        fn set_email(&mut self, key: i64, token: &str) -> QueryResult<usize> {
            use $crate::people::plain::bench_people::dsl::*;
            diesel::update(bench_people.find(key)).set(email.eq(token)).execute(self)
        }

        fn swap<const ROWS: usize>(&mut self, batch: $crate::database::Batch<'_, ROWS>) -> QueryResult<usize> {
            batch.execute(self)
        }
    };
}
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
use queries;

/// Appends `?, ?, ?, ?, ?` for each row.
#[cfg(any(feature = "cli-mysql", feature = "cli-sqlite"))]
fn push_rows<'a, 'b, DB, const ROWS: usize>(
    batch: &'b Batch<'a, ROWS>,
    before: &str,
    between: &str,
    after: &str,
    out: &mut diesel::query_builder::AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: diesel::backend::Backend
        + diesel::sql_types::HasSqlType<diesel::sql_types::BigInt>
        + diesel::sql_types::HasSqlType<diesel::sql_types::Text>,
    i64: diesel::serialize::ToSql<diesel::sql_types::BigInt, DB>,
    &'a str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
{
    use diesel::sql_types::{BigInt, Text};
    for (index, id) in batch.ids.iter().enumerate() {
        out.push_sql(if index == 0 { before } else { between });
        out.push_bind_param::<BigInt, _>(id)?;
        for tokens in &batch.tokens {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(&tokens[index])?;
        }
    }
    out.push_sql(after);
    Ok(())
}
