//! SQLite: one writer at a time, and no server.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

pub use super::support::{BYTES, Conn, TEXT, TestDatabase};

pub const SERVER: Option<&str> = None;
/// How long a long transaction lasts: nobody else can write meanwhile.
pub const LONG_TRANSACTION: Duration = Duration::from_millis(200);
/// Whether a transaction keeps others from a few rows, and not from the whole database.
pub const ROW_LOCKS: bool = false;
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

/// There are none.
pub fn sessions(_conn: &mut Conn) -> QueryResult<Vec<i64>> {
    Ok(Vec::new())
}

pub fn own_session(_conn: &mut Conn) -> QueryResult<i64> {
    Err(diesel::NotFound)
}

pub fn terminate(_conn: &mut Conn, _session: i64) -> QueryResult<()> {
    Err(diesel::NotFound)
}

pub fn pid_file(_conn: &mut Conn) -> QueryResult<String> {
    Err(diesel::NotFound)
}
