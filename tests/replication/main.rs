//! Tests of the limits on replication lag. The tests start their own servers and replicas.

#![cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[cfg(feature = "cli-mysql")]
mod mysql;
#[cfg(feature = "cli-postgres")]
mod postgres;
mod running;
#[path = "../support/mod.rs"]
mod support;
