//! The journey on MySQL and MariaDB.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::JOURNEY.main("mysql")
}

/// The database.
mod backend {
    pub use crate::support::mysql::*;

    /// Makes a column of numbers long enough for tokens, with the length in place of `{}`. ASCII suffices for tokens.
    pub const WIDEN: Option<&str> =
        Some("alter table account modify phone varchar({}) character set ascii collate ascii_bin");
}
