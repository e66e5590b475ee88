//! PostgreSQL: a database per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use crate::common::unique_name;

pub type Conn = PgConnection;

/// Column types in this database's words.
pub const TEXT: &str = "text";
pub const BYTES: &str = "bytea";

/// Columns of all sorts: name, definition, and the value that a row gets from its `id`. Generated ones get none.
pub const OTHER_COLUMNS: &[(&str, &str, &str)] = &[
    ("note", "text not null default ''", "'né ' || id || E'\\n'"),
    ("blank", "text", "null"),
    ("code", "char(10)", "id::text"),
    ("amount", "numeric(20,6)", "id * -1.234567"),
    ("ratio", "float8", "1.0 / id"),
    ("small", "real", "id / 3.0"),
    ("flag", "boolean", "id % 2 = 0"),
    ("born", "date", "date '1900-01-01' + id::int"),
    ("seen", "timestamptz", "'infinity'"),
    (
        "updated_at",
        "timestamptz not null default now()",
        "timestamptz '2001-02-03 04:05:06.789+00' + id * interval '1s'",
    ),
    ("span", "interval", "id * interval '1 month 2 days 3.456 seconds'"),
    ("settings", "jsonb", "jsonb_build_object('id', id, 'tags', array['a', 'ä'])"),
    ("written", "json", "('{ \"b\" : ' || id || ',\"a\":1.0}')::json"),
    ("tags", "text[]", "array['x', id::text, null, '']"),
    ("number", "uuid", "md5(id::text)::uuid"),
    ("bits", "bytea", "decode(md5(id::text), 'hex')"),
    ("address", "inet", "inet '10.0.0.0' + id"),
    ("doubled", "bigint generated always as (id * 2) stored", ""),
];

/// The columns of a row in one text, each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("coalesce(quote_literal({name}::text), 'NULL')");
    columns.iter().map(column).collect::<Vec<_>>().join(" || ',' || ")
}

/// A name of any characters.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    pub fn new() -> Self {
        let server = std::env::var("PG_DATABASE_URL").expect("PG_DATABASE_URL: run the tests with bin/test");
        let name = unique_name();
        let mut conn = Conn::establish(&server).unwrap();
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).unwrap();
        conn.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        Self { server, name }
    }

    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }

    /// The schema in which an unqualified table is found, as reports name it; with the dot.
    pub fn schema(&self) -> String {
        "public.".into()
    }

    pub fn conn(&self) -> Conn {
        Conn::establish(&self.url()).unwrap()
    }

    pub fn pool(&self, size: u32) -> Pool<ConnectionManager<Conn>> {
        Pool::builder().max_size(size).build(ConnectionManager::new(self.url())).unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let mut conn = Conn::establish(&self.server).unwrap();
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).unwrap();
    }
}
