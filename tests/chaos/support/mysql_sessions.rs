//! The sessions of a MySQL or MariaDB server, and how to end them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::support::mysql::Conn;

#[derive(QueryableByName)]
struct SessionId {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Returns the other sessions on this database.
pub fn sessions(conn: &mut Conn) -> QueryResult<Vec<i64>> {
    let sql = "select cast(id as signed) as id from information_schema.processlist \
               where db = database() and id <> connection_id()";
    Ok(diesel::sql_query(sql).load::<SessionId>(conn)?.into_iter().map(|session| session.id).collect())
}

/// Returns the session of this connection.
pub fn own_session(conn: &mut Conn) -> QueryResult<i64> {
    Ok(diesel::sql_query("select cast(connection_id() as signed) as id").get_result::<SessionId>(conn)?.id)
}

pub fn terminate(conn: &mut Conn, session: i64) -> QueryResult<()> {
    // An error means that the session has ended already.
    let _ = diesel::sql_query(format!("kill {session}")).execute(conn);
    Ok(())
}

#[derive(QueryableByName)]
struct PidFile {
    #[diesel(sql_type = Text)]
    path: String,
}

/// Returns the file in which the server stores its process id.
pub fn pid_file(conn: &mut Conn) -> QueryResult<String> {
    let sql = "select if(@@pid_file like '/%', @@pid_file, concat(@@datadir, @@pid_file)) as path";
    Ok(diesel::sql_query(sql).get_result::<PidFile>(conn)?.path)
}
