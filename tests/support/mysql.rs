//! MySQL and MariaDB: a database per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use super::unique_name;

pub type Conn = MysqlConnection;

/// Whether the task keeps its run in the database by default.
pub const SHARES: bool = true;

/// Column types.
pub const TEXT: &str = "text";
pub const BYTES: &str = "mediumblob";
pub const TIMESTAMP: &str = "timestamp(6) null";
/// MySQL changes such a timestamp by itself. The task must keep it.
pub const ON_UPDATE: &str = "default current_timestamp(6) on update current_timestamp(6)";

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
        Self::on(std::env::var("MYSQL_DATABASE_URL").expect("MYSQL_DATABASE_URL: run the tests with bin/test"))
    }

    /// A database on the server with this URL.
    pub fn on(server: String) -> Self {
        let name = unique_name();
        let mut conn = Conn::establish(&server).unwrap();
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")).unwrap();
        Self { server, name }
    }

    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }

    /// Returns other ways to write the URL.
    pub fn other_urls(&self) -> Vec<String> {
        vec![self.url().replacen("mysql://", "mariadb://", 1)]
    }

    /// Returns the prefix that reports put before the name of an unqualified table: its schema and a dot.
    pub fn schema(&self) -> String {
        format!("{}.", self.name)
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
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {}", self.name)).unwrap();
    }
}

/// A user who may read and change some tables and list the sessions, but nothing else.
pub struct LimitedUser {
    server: String,
    database: String,
    name: String,
}

impl LimitedUser {
    pub fn new(db: &TestDatabase, tables: &[&str]) -> Self {
        let this = Self { server: db.server.clone(), database: db.url(), name: format!("{}_user", db.name) };
        let name = &this.name;
        let sql = format!("create user {name} identified by 'secret'; grant process on *.* to {name}");
        db.conn().batch_execute(&sql).unwrap();
        this.grant(db, tables);
        this
    }

    pub fn grant(&self, db: &TestDatabase, tables: &[&str]) {
        for table in tables {
            let sql = format!("grant select, insert, update, delete, trigger on {}.{table} to {}", db.name, self.name);
            db.conn().batch_execute(&sql).unwrap();
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        let (_, rest) = self.database.split_once('@').unwrap();
        format!("mysql://{}:secret@{rest}", self.name)
    }
}

impl Drop for LimitedUser {
    fn drop(&mut self) {
        Conn::establish(&self.server).unwrap().batch_execute(&format!("drop user {}", self.name)).unwrap();
    }
}
