//! The chaos test on SQLite.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::CHAOS.main("sqlite")
}

/// The database. There is no server, and there are no sessions.
mod backend {
    use diesel::prelude::*;

    pub use crate::support::sqlite::*;

    pub const SERVER: Option<&str> = None;
    pub const SHUTDOWN: &str = "";

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
}
