//! The chaos test on SQLite.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/one_server.rs"]
mod one_server;
mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::CHAOS.main("sqlite")
}

/// The database. There is no server, and there are no sessions.
mod backend {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;

    pub use crate::one_server::*;
    pub use crate::support::sqlite::*;

    pub const SERVER: Option<&str> = None;
    pub const SHUTDOWN: &str = "";
    pub const SPLIT_TABLE: Option<&str> = None;

    pub fn sessions(_conn: &mut Conn) -> QueryResult<Vec<i64>> {
        Ok(Vec::new())
    }

    pub fn own_session(_conn: &mut Conn) -> QueryResult<i64> {
        Err(diesel::NotFound)
    }

    pub fn terminate(_conn: &mut Conn, _session: i64) -> QueryResult<()> {
        Err(diesel::NotFound)
    }

    #[derive(QueryableByName)]
    struct Definition {
        #[diesel(sql_type = diesel::sql_types::Text)]
        sql: String,
    }

    /// Puts a copy of the table in its place.
    pub fn replace_table(conn: &mut Conn) -> QueryResult<()> {
        conn.immediate_transaction(|conn| {
            let definition = diesel::sql_query("select sql from sqlite_master where name = 'item'");
            let sql = definition.get_result::<Definition>(conn)?.sql;
            conn.batch_execute(&sql.replacen("item", "item_copy", 1))?;
            conn.batch_execute(
                "insert into item_copy select * from item; drop table item; alter table item_copy rename to item",
            )
        })
    }

    pub fn pid_file(_conn: &mut Conn) -> QueryResult<String> {
        Err(diesel::NotFound)
    }
}
