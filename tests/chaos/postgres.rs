//! The chaos test on PostgreSQL.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::CHAOS.main("postgres")
}

/// The database, and how to end its sessions and the server.
mod backend {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::{Integer, Text};

    pub use crate::support::postgres::*;

    /// The name of the server in `DISPOSABLE_SERVERS`.
    pub const SERVER: Option<&str> = Some("postgres");
    /// The signal for an immediate shutdown.
    pub const SHUTDOWN: &str = "QUIT";

    #[derive(QueryableByName)]
    struct SessionId {
        #[diesel(sql_type = Integer)]
        pid: i32,
    }

    /// Returns the other sessions on this database.
    pub fn sessions(conn: &mut Conn) -> QueryResult<Vec<i64>> {
        let sql = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        Ok(diesel::sql_query(sql).load::<SessionId>(conn)?.into_iter().map(|session| session.pid.into()).collect())
    }

    /// Returns the session of this connection.
    pub fn own_session(conn: &mut Conn) -> QueryResult<i64> {
        Ok(diesel::sql_query("select pg_backend_pid() as pid").get_result::<SessionId>(conn)?.pid.into())
    }

    pub fn terminate(conn: &mut Conn, session: i64) -> QueryResult<()> {
        diesel::sql_query(format!("select pg_terminate_backend({session})")).execute(conn).map(drop)
    }

    pub fn database() -> TestDatabase {
        TestDatabase::new()
    }

    /// The URLs of the database on the other nodes of a cluster.
    pub fn other_nodes(_: &TestDatabase) -> Vec<String> {
        Vec::new()
    }

    /// Puts a copy of the table in its place.
    pub fn replace_table(conn: &mut Conn) -> QueryResult<()> {
        conn.transaction(|conn| {
            conn.batch_execute(
                "set local lock_timeout = '1s'; lock table item in access exclusive mode;
                 create table item_copy (like item including all); insert into item_copy select * from item;
                 drop table item; alter table item_copy rename to item",
            )
        })
    }

    #[derive(QueryableByName)]
    struct PidFile {
        #[diesel(sql_type = Text)]
        path: String,
    }

    /// Returns the file in which the server stores its process id.
    pub fn pid_file(conn: &mut Conn) -> QueryResult<String> {
        let sql = "select current_setting('data_directory') || '/postmaster.pid' as path";
        Ok(diesel::sql_query(sql).get_result::<PidFile>(conn)?.path)
    }
}
