//! The tests that need a database, on MySQL and MariaDB.
//!
//! The server is that of `MYSQL_DATABASE_URL`, which `bin/test` starts. Each test has a database of its own.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod interrupted;
mod operators;
mod privileges;
mod server;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod unwritable;

/// Tests for this database only, and its constants and functions for `suite`.
mod mysql {
    pub mod backend;
    mod contents;
    mod discover;
    pub mod existing;
    mod guards;
    mod limits;
    mod packets;
    mod row_keys;
    pub mod schema;
    mod settings;
    pub mod shipped;
    mod specifics;
    mod tls;
}

use mysql::{backend, existing, schema, shipped};
