//! SQLite: one writer at a time, and no server.

use std::convert::Infallible;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

pub use super::support::{BYTES, Conn, TEXT, TestDatabase};

pub const SERVER: Option<&str> = None;
/// How long a long transaction lasts: nobody else can write meanwhile.
pub const LONG_TRANSACTION: Duration = Duration::from_millis(200);
/// How many processes of the task work at a time.
pub const PROCESSES: std::ops::RangeInclusive<usize> = 1..=2;
pub const TIMESTAMP: &str = "varchar(40)";
/// Nothing changes it by itself here.
pub const ON_UPDATE: &str = "";
pub const SHUTDOWN: &str = "";

pub fn connect(url: &str) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(url)?;
    let settings = "PRAGMA busy_timeout = 30000; PRAGMA synchronous = NORMAL";
    conn.batch_execute(settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

pub fn transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> QueryResult<T> {
    conn.immediate_transaction(work)
}

/// There are none but those that are asked for.
pub fn sessions(_conn: &mut Conn) -> QueryResult<Vec<Infallible>> {
    Ok(Vec::new())
}

pub fn terminate(_conn: &mut Conn, session: Infallible) -> QueryResult<()> {
    match session {}
}

pub fn pid_file(_conn: &mut Conn) -> QueryResult<String> {
    Err(diesel::NotFound)
}
