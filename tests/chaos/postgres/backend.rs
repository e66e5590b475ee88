//! PostgreSQL: transactions, and how its sessions and the server itself are ended.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

pub use super::support::{BYTES, Conn, TEXT, TestDatabase};

/// The name by which `DISPOSABLE_SERVERS` lists the server.
pub const SERVER: Option<&str> = Some("postgres");
/// How long a long transaction lasts.
pub const LONG_TRANSACTION: Duration = Duration::from_millis(1000);
/// Whether a transaction keeps others from a few rows, and not from the whole database.
pub const ROW_LOCKS: bool = true;
/// How many processes of the task work at a time.
pub const PROCESSES: std::ops::RangeInclusive<usize> = 2..=3;
pub const TIMESTAMP: &str = "varchar(40)";
/// Nothing changes it by itself here.
pub const ON_UPDATE: &str = "";
/// The signal for a shutdown in immediate mode.
pub const SHUTDOWN: &str = "QUIT";

pub fn connect(url: &str) -> ConnectionResult<Conn> {
    Conn::establish(url)
}

pub fn transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> QueryResult<T> {
    conn.transaction(work)
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// The other sessions on this database.
pub fn sessions(conn: &mut Conn) -> QueryResult<Vec<i64>> {
    let sql = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    Ok(diesel::sql_query(sql).load::<Session>(conn)?.into_iter().map(|session| session.pid.into()).collect())
}

/// The session of this connection itself.
pub fn own_session(conn: &mut Conn) -> QueryResult<i64> {
    Ok(diesel::sql_query("select pg_backend_pid() as pid").get_result::<Session>(conn)?.pid.into())
}

pub fn terminate(conn: &mut Conn, session: i64) -> QueryResult<()> {
    diesel::sql_query(format!("select pg_terminate_backend({session})")).execute(conn).map(drop)
}

#[derive(QueryableByName)]
struct PidFile {
    #[diesel(sql_type = Text)]
    path: String,
}

/// The file in which the server has its process id.
pub fn pid_file(conn: &mut Conn) -> QueryResult<String> {
    let sql = "select current_setting('data_directory') || '/postmaster.pid' as path";
    Ok(diesel::sql_query(sql).get_result::<PidFile>(conn)?.path)
}
