//! The tests that need a database, on SQLite.
//!
//! Each test has a database of its own.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod asynchronous;
mod returning;
mod suite;
#[path = "../support/mod.rs"]
mod support;

/// Tests for this database only, and its constants and functions for `suite`.
mod sqlite {
    pub mod backend;
    mod contents;
    mod damaged;
    mod discover;
    pub mod existing;
    mod guards;
    mod limits;
    mod locked;
    mod one_file;
    mod row_keys;
    pub mod schema;
    mod settings;
    pub mod shipped;
}

use sqlite::{backend, existing, schema, shipped};
