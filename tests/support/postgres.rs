//! PostgreSQL: a database per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use super::unique_name;

pub type Conn = PgConnection;

/// Whether the task keeps its run in the database by default.
pub const SHARES: bool = true;

/// Column types.
pub const TEXT: &str = "text";
pub const BYTES: &str = "bytea";
pub const TIMESTAMP: &str = "varchar(40)";
/// PostgreSQL never changes a timestamp by itself.
pub const ON_UPDATE: &str = "";

pub fn connect(url: &str) -> ConnectionResult<Conn> {
    Conn::establish(url)
}

pub fn transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> QueryResult<T> {
    conn.transaction(work)
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

    /// Returns other ways to write the URL.
    pub fn other_urls(&self) -> Vec<String> {
        vec![self.url().replacen("postgres://", "postgresql://", 1)]
    }

    /// Returns the prefix that reports put before the name of an unqualified table: its schema and a dot.
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

/// A user who may read and change some tables, but nothing else.
pub struct LimitedUser {
    server: String,
    database: String,
    name: String,
}

impl LimitedUser {
    pub fn new(db: &TestDatabase, tables: &[&str]) -> Self {
        let this = Self { server: db.server.clone(), database: db.url(), name: format!("{}_user", db.name) };
        db.conn().batch_execute(&format!("create role {} login password 'secret'", this.name)).unwrap();
        this.grant(db, tables);
        this
    }

    pub fn grant(&self, db: &TestDatabase, tables: &[&str]) {
        let (tables, name) = (tables.join(", "), &self.name);
        db.conn().batch_execute(&format!("grant select, insert, update, delete on {tables} to {name}")).unwrap();
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        let (_, rest) = self.database.split_once('@').unwrap();
        format!("postgres://{}:secret@{rest}", self.name)
    }
}

impl Drop for LimitedUser {
    fn drop(&mut self) {
        let mut conn = Conn::establish(&self.database).unwrap();
        conn.batch_execute(&format!("drop owned by {}", self.name)).unwrap();
        let mut conn = Conn::establish(&self.server).unwrap();
        conn.batch_execute(&format!("drop role {}", self.name)).unwrap();
    }
}
