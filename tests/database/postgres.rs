//! The tests that need a database, on PostgreSQL.
//!
//! The server is that of `PG_DATABASE_URL`, which `bin/test` starts. Each test has a database of its own.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod asynchronous;
mod interrupted;
mod operators;
mod privileges;
mod returning;
mod server;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod unwritable;

/// Tests for this database only, and its constants and functions for `suite`.
mod postgres {
    mod array_task;
    mod arrays;
    pub mod backend;
    mod cached;
    mod contents;
    mod discover;
    pub mod existing;
    mod foreign_code;
    mod guards;
    mod languages;
    mod limits;
    mod pooler;
    mod row_keys;
    pub mod schema;
    mod schemas;
    mod settings;
    pub mod shipped;
    mod specifics;
    mod tls;
}

use postgres::{backend, existing, schema, shipped};
