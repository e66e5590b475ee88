//! PostgreSQL: a database per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use crate::common::unique_name;

pub type Conn = PgConnection;

/// Column types in this database's words.
pub const TEXT: &str = "text";
pub const BYTES: &str = "bytea";

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
