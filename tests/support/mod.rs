//! Modules that several test programs share. Each program includes all of them as `support`.

#![allow(dead_code, unused_imports)] // Each test program uses a part of it.

pub mod counted;
pub mod failures;
pub mod keys;
pub mod ledger;
pub mod own_process;
pub mod proxy;
pub mod python;
pub mod recordings;
pub mod secrets;
pub mod seeds;
pub mod session;

#[cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
pub mod private_server;
#[cfg(feature = "cli")]
pub mod runner;

#[cfg(feature = "cli-mysql")]
pub mod mysql;
#[cfg(feature = "cli-postgres")]
pub mod pgbouncer;
#[cfg(feature = "cli-postgres")]
pub mod postgres;
#[cfg(feature = "cli-sqlite")]
pub mod sqlite;

/// A name that no other test uses, in this process or another.
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
pub fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("de_test_{}_{next}", std::process::id())
}
