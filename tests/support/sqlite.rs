//! SQLite: a file per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

pub type Conn = SqliteConnection;

/// Whether the task keeps its run in the database by default.
pub const SHARES: bool = false;

/// Column types.
pub const TEXT: &str = "text";
pub const BYTES: &str = "blob";
pub const TIMESTAMP: &str = "varchar(40)";
/// SQLite never changes a timestamp by itself.
pub const ON_UPDATE: &str = "";

/// Connects as an application does, which waits for a lock.
pub fn connect(url: &str) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(url)?;
    let settings = "PRAGMA busy_timeout = 30000; PRAGMA synchronous = NORMAL";
    conn.batch_execute(settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

pub fn transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> QueryResult<T> {
    conn.immediate_transaction(work)
}

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

    /// Other ways to write the URL.
    pub fn other_urls(&self) -> Vec<String> {
        ["sqlite://", "file:", "file://"].map(|scheme| format!("{scheme}{}", self.url())).into()
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
