//! MySQL and MariaDB: transactions, and how its sessions and the server itself are ended.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

pub use super::support::{BYTES, Conn, TEXT, TestDatabase};

/// The name by which `DISPOSABLE_SERVERS` lists the server.
pub const SERVER: Option<&str> = Some("mariadb");
/// How long a long transaction lasts.
pub const LONG_TRANSACTION: Duration = Duration::from_millis(1000);
/// Whether a transaction keeps others from a few rows, and not from the whole database.
pub const ROW_LOCKS: bool = true;
/// How many processes of the task work at a time.
pub const PROCESSES: std::ops::RangeInclusive<usize> = 2..=3;
pub const TIMESTAMP: &str = "timestamp(6) null";
/// The task must keep what the database would change by itself.
pub const ON_UPDATE: &str = "default current_timestamp(6) on update current_timestamp(6)";
/// There is no immediate mode: it has to do with a crash.
pub const SHUTDOWN: &str = "KILL";

pub fn connect(url: &str) -> ConnectionResult<Conn> {
    Conn::establish(url)
}

pub fn transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<T>) -> QueryResult<T> {
    conn.transaction(work)
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The other sessions on this database.
pub fn sessions(conn: &mut Conn) -> QueryResult<Vec<i64>> {
    let sql = "select cast(id as signed) as id from information_schema.processlist \
               where db = database() and id <> connection_id()";
    Ok(diesel::sql_query(sql).load::<Session>(conn)?.into_iter().map(|session| session.id).collect())
}

/// The session of this connection itself.
pub fn own_session(conn: &mut Conn) -> QueryResult<i64> {
    Ok(diesel::sql_query("select cast(connection_id() as signed) as id").get_result::<Session>(conn)?.id)
}

pub fn terminate(conn: &mut Conn, session: i64) -> QueryResult<()> {
    // An error says that it has gone already.
    let _ = diesel::sql_query(format!("kill {session}")).execute(conn);
    Ok(())
}

#[derive(QueryableByName)]
struct PidFile {
    #[diesel(sql_type = Text)]
    path: String,
}

/// The file in which the server has its process id.
pub fn pid_file(conn: &mut Conn) -> QueryResult<String> {
    let sql = "select if(@@pid_file like '/%', @@pid_file, concat(@@datadir, @@pid_file)) as path";
    Ok(diesel::sql_query(sql).get_result::<PidFile>(conn)?.path)
}
