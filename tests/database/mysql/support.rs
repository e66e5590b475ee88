//! MySQL and MariaDB: a database per test.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use crate::common::unique_name;

pub type Conn = MysqlConnection;

/// Column types in this database's words.
pub const TEXT: &str = "text";
pub const BYTES: &str = "blob";

/// Columns of all sorts: name, definition, and the value that a row gets from its `id`. Generated ones get none.
pub const OTHER_COLUMNS: &[(&str, &str, &str)] = &[
    ("note", "text character set utf8mb4 not null", "concat('né ', id, '\\n')"),
    ("blank", "text", "null"),
    ("code", "char(10) character set latin1", "id"),
    ("amount", "decimal(20,6)", "id * -1.234567"),
    ("ratio", "double", "1.0e0 / id"),
    ("large", "bigint unsigned", "18446744073709551615 - id"),
    ("flag", "boolean", "id % 2 = 0"),
    ("few", "bit(7)", "id % 128"),
    ("kind", "enum('a', 'b')", "1 + id % 2"),
    ("labels", "set('x', 'y')", "id % 4"),
    ("born", "date", "date_add('1900-01-01', interval id day)"),
    ("seen", "datetime(6)", "date_add('2001-02-03 04:05:06.789', interval id second)"),
    (
        "updated_at",
        "timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)",
        "date_add('2001-02-03 04:05:06.789', interval id second)",
    ),
    ("touched", "datetime null on update current_timestamp", "null"),
    ("settings", "json", "json_object('id', id, 'tag', 'a')"),
    ("bits", "varbinary(40)", "unhex(md5(id))"),
    ("doubled", "bigint generated always as (id * 2) stored", ""),
];

/// The columns of a row in one text, each value exactly as it is.
pub fn shown(columns: &[&str]) -> String {
    let column = |name: &&str| format!("coalesce(hex(cast({name} as binary)), 'NULL')");
    format!("concat_ws(',', {})", columns.iter().map(column).collect::<Vec<_>>().join(", "))
}

/// A name of any characters.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    pub fn new() -> Self {
        let server = std::env::var("MYSQL_DATABASE_URL").expect("MYSQL_DATABASE_URL: run the tests with bin/test");
        let name = unique_name();
        let mut conn = Conn::establish(&server).unwrap();
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")).unwrap();
        Self { server, name }
    }

    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }

    /// The schema in which an unqualified table is found, as reports name it; with the dot.
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
