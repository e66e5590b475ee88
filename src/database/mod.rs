//! What the crate asks of a database.

// Without a backend nothing asks.
#![cfg_attr(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code))]

pub(crate) mod catalogue;
pub(crate) mod checkpoint;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod dialect;
pub(crate) mod estimate;
pub(crate) mod failure;
pub(crate) mod guard_kind;
pub(crate) mod moment;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
pub(crate) mod page;
pub(crate) mod plan;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod probe;
pub(crate) mod quote;
pub(crate) mod replication;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod side_effects;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) mod slots;
pub(crate) mod sql;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod stop;
pub(crate) mod swap;
pub(crate) mod words;
