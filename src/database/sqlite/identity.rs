//! The file of an SQLite database.

use diesel::result::{Error, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::sqlite::snapshot::become_writer;
use crate::database::{Clusters, Conn, ErrorClass, Identity, Locks, Server, Sql, class_of};

impl Clusters for Sqlite {}

impl Identity for Sqlite {
    /// The path may lead to another file later, so the file counts.
    fn server<C: Conn<Self>>(conn: &mut C) -> QueryResult<Server> {
        let databases = Sql::new("SELECT name, file FROM pragma_database_list").texts(conn)?;
        let main = databases.into_iter().find(|[name, _]| name == "main");
        let path = main.map(|[_, file]| file).unwrap_or_default();
        let identity = if path.is_empty() { "a database in memory".into() } else { file(&path) };
        Ok(Server { identity, started: None, standby: None, stranger: None })
    }

    fn read_only<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<String>> {
        match become_writer(conn) {
            // Another session writes, so the file can be written.
            Err(error) if class_of(&error, Self::MESSAGES, &[]) == ErrorClass::Lock => Ok(None),
            Err(Error::DatabaseError(_, info)) if info.message() == READ_ONLY => Ok(Some(info.message().to_owned())),
            result => result.map(|()| None),
        }
    }
}

/// SQLite's own text for `SQLITE_READONLY`, which Diesel passes on without the code.
const READ_ONLY: &str = "attempt to write a readonly database";

#[cfg(unix)]
fn file(path: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path) {
        Ok(file) => format!("the file {path} (number {} on device {})", file.ino(), file.dev()),
        Err(error) => format!("the file {path} ({error})"),
    }
}

#[cfg(not(unix))]
fn file(path: &str) -> String {
    format!("the file {path}")
}
