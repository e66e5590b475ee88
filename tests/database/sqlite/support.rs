//! SQLite: a file per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

pub type Conn = SqliteConnection;

/// Column types in this database's words.
pub const TEXT: &str = "text";
pub const BYTES: &str = "blob";

pub struct TestDatabase {
    folder: tempfile::TempDir,
}

impl TestDatabase {
    pub fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.conn().batch_execute("PRAGMA journal_mode = WAL").unwrap();
        this
    }

    pub fn url(&self) -> String {
        self.folder.path().join("test.db").display().to_string()
    }

    /// The schema in which an unqualified table is found, as reports name it: none.
    pub fn schema(&self) -> String {
        String::new()
    }

    pub fn conn(&self) -> Conn {
        let mut conn = Conn::establish(&self.url()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL").unwrap();
        conn
    }

    pub fn pool(&self, size: u32) -> Pool<ConnectionManager<Conn>> {
        Pool::builder().max_size(size).build(ConnectionManager::new(self.url())).unwrap()
    }
}
