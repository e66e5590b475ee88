//! What needs a database: the same tests on each of them.
//!
//! `suite` is compiled once per backend, each time beside the `support` of that backend: connections, and the words in
//! which the databases differ. `server` is for those that are one. The servers are those of `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`; `bin/test` starts
//! them. Every test has a database of its own.

#![allow(missing_docs, unreachable_pub, clippy::duplicate_mod, clippy::expect_used, clippy::unwrap_used)]

#[cfg(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
mod common;
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
#[path = "../python/mod.rs"]
mod python;
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite"))]
#[path = "../program/runner.rs"]
mod runner;

#[cfg(feature = "cli-mysql")]
mod mysql {
    #[path = "../server/mod.rs"]
    mod server;
    #[path = "../suite/mod.rs"]
    mod suite;
    mod support;
}

#[cfg(feature = "cli-postgres")]
mod postgres {
    mod schemas;
    #[path = "../server/mod.rs"]
    mod server;
    #[path = "../suite/mod.rs"]
    mod suite;
    mod support;
}

#[cfg(feature = "cli-sqlite")]
mod sqlite {
    mod locked;
    #[path = "../suite/mod.rs"]
    mod suite;
    mod support;
}
