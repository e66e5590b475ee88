//! The journey on SQLite.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::JOURNEY.main("sqlite")
}

/// The database.
mod backend {
    pub use crate::support::sqlite::*;

    /// No column is too short.
    pub const WIDEN: Option<&str> = None;
}
