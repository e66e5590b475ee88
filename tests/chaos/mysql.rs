//! The chaos test on MySQL and MariaDB.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/mysql_sessions.rs"]
mod mysql_sessions;
#[path = "support/one_server.rs"]
mod one_server;
mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::CHAOS.main("mysql")
}

/// The database, and how to end its sessions and the server.
mod backend {
    use diesel::QueryResult;
    use diesel::connection::SimpleConnection;

    pub use crate::mysql_sessions::*;
    pub use crate::one_server::*;
    pub use crate::support::mysql::*;

    /// The name of the server in `DISPOSABLE_SERVERS`.
    pub const SERVER: Option<&str> = Some("mariadb");
    /// There is no immediate shutdown, so the server crashes.
    pub const SHUTDOWN: &str = "KILL";
    pub const SPLIT_TABLE: Option<&str> = None;

    /// Puts a copy of the table in its place.
    pub fn replace_table(conn: &mut Conn) -> QueryResult<()> {
        conn.batch_execute("set lock_wait_timeout = 1; alter table item engine = innodb, algorithm = copy")
    }
}
