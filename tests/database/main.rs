//! What needs a database: the same tests on each of them.
//!
//! `suite` is compiled once per backend, each time beside the `support` of that backend: connections, and the words in
//! which the databases differ; `server` twice, for those that are one. The servers are those of `PG_DATABASE_URL` and
//! `MYSQL_DATABASE_URL`; `bin/test` starts them. Every test has a database of its own.

#![cfg(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
#![allow(clippy::duplicate_mod, clippy::expect_used, clippy::unwrap_used)]

#[path = "../child.rs"]
mod child;
mod common;
#[path = "../elsewhere.rs"]
mod data;
#[cfg(all(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
mod multi_connection;
#[cfg(any(feature = "cli-postgres", feature = "cli-mysql"))]
#[path = "../private_server.rs"]
mod private_server;
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
#[path = "../proxy.rs"]
mod proxy;
#[path = "../python/mod.rs"]
mod python;
#[path = "../program/runner.rs"]
mod runner;
#[path = "../secrets.rs"]
mod secrets;

#[cfg(feature = "cli-mysql")]
mod mysql {
    mod discover;
    mod existing;
    mod guards;
    #[path = "../interrupted.rs"]
    mod interrupted;
    mod limits;
    #[path = "../operators.rs"]
    mod operators;
    mod schema;
    #[path = "../server.rs"]
    mod server;
    mod shipped;
    mod specifics;
    #[path = "../suite/mod.rs"]
    pub mod suite;
    pub mod support;
    #[path = "../unwritable.rs"]
    mod unwritable;
}

#[cfg(feature = "cli-postgres")]
mod postgres {
    mod arrays;
    #[path = "../asynchronous.rs"]
    mod asynchronous;
    mod discover;
    mod existing;
    mod guards;
    #[path = "../interrupted.rs"]
    mod interrupted;
    mod limits;
    #[path = "../operators.rs"]
    mod operators;
    #[path = "../returning.rs"]
    mod returning;
    mod schema;
    mod schemas;
    #[path = "../server.rs"]
    mod server;
    mod shipped;
    mod specifics;
    #[path = "../suite/mod.rs"]
    pub mod suite;
    pub mod support;
    #[path = "../unwritable.rs"]
    mod unwritable;
}

#[cfg(feature = "cli-sqlite")]
mod sqlite {
    #[path = "../asynchronous.rs"]
    mod asynchronous;
    mod discover;
    mod existing;
    mod guards;
    mod limits;
    mod locked;
    #[path = "../returning.rs"]
    mod returning;
    mod schema;
    mod shipped;
    #[path = "../suite/mod.rs"]
    pub mod suite;
    pub mod support;
}
