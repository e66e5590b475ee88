//! The journey on PostgreSQL.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::JOURNEY.main("postgres")
}

/// The database.
mod backend {
    pub use crate::support::postgres::*;

    /// Makes a column of numbers long enough for tokens, with the length in place of `{}`.
    pub const WIDEN: Option<&str> = Some("alter table account alter phone type varchar({})");
}
