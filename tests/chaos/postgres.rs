//! The chaos test on PostgreSQL.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/one_server.rs"]
mod one_server;
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
    use diesel::sql_types::{Bool, Integer, Text};

    pub use crate::one_server::*;
    pub use crate::support::postgres::*;

    /// The name of the server in `DISPOSABLE_SERVERS`.
    pub const SERVER: Option<&str> = Some("postgres");
    /// The signal for an immediate shutdown.
    pub const SHUTDOWN: &str = "QUIT";
    /// Splits the empty table into two partitions, between which rows can move.
    pub const SPLIT_TABLE: Option<&str> = Some(
        "alter table item rename to item_whole;
         create table item (like item_whole including all) partition by range (id);
         create table item_low partition of item for values from (minvalue) to (250);
         create table item_high partition of item for values from (250) to (maxvalue);
         drop table item_whole",
    );

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

    #[derive(QueryableByName)]
    struct Split {
        #[diesel(sql_type = Bool)]
        split: bool,
    }

    /// Puts a copy of the table, or of one of its partitions, in its place.
    pub fn replace_table(conn: &mut Conn) -> QueryResult<()> {
        conn.transaction(|conn| {
            conn.batch_execute("set local lock_timeout = '1s'; lock table item in access exclusive mode")?;
            let split = diesel::sql_query("select relkind = 'p' as split from pg_class where oid = 'item'::regclass");
            let is_split = split.get_result::<Split>(conn)?.split;
            conn.batch_execute(if is_split {
                "create table item_copy (like item_high including all); insert into item_copy select * from item_high;
                 alter table item detach partition item_high; drop table item_high;
                 alter table item_copy rename to item_high;
                 alter table item attach partition item_high for values from (250) to (maxvalue)"
            } else {
                "create table item_copy (like item including all); insert into item_copy select * from item;
                 drop table item; alter table item_copy rename to item"
            })
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
