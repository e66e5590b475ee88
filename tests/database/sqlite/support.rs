//! SQLite: a file per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

pub type Conn = SqliteConnection;

/// Column types in this database's words.
pub const TEXT: &str = "text";
pub const BYTES: &str = "blob";

/// Columns of all sorts: name, definition, and the value that a row gets from its `id`. Generated ones get none.
pub const OTHER_COLUMNS: &[(&str, &str, &str)] = &[
    ("note", "text not null default ''", "'né ' || id || char(10)"),
    ("blank", "text", "null"),
    ("amount", "numeric", "id * -1.234567"),
    ("ratio", "real", "1.0 / id"),
    ("anything", "", "iif(id % 3 = 0, id, iif(id % 3 = 1, 'text', x'00ff'))"),
    ("flag", "boolean", "id % 2 = 0"),
    ("born", "date", "date('1900-01-01', id || ' days')"),
    ("updated_at", "timestamp default current_timestamp", "datetime('2001-02-03 04:05:06', id || ' seconds')"),
    ("settings", "json", "json_object('id', id, 'tag', 'a')"),
    ("bits", "blob", "randomblob(16)"),
    ("doubled", "integer generated always as (id * 2) stored", ""),
];

/// The columns of a row in one text, each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("typeof({name}) || quote({name})");
    columns.iter().map(column).collect::<Vec<_>>().join(" || ',' || ")
}

/// A name of any characters.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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
