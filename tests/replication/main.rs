//! Tests of tasks among several servers: the limits on replication lag, clusters, and servers that are not the primary.
//! The tests start their own servers.

#![cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[cfg(feature = "cli-mysql")]
mod galera;
#[cfg(feature = "cli-mysql")]
mod mysql;
#[cfg(feature = "cli-postgres")]
mod postgres;
mod primary;
mod running;
#[path = "../support/mod.rs"]
mod support;
