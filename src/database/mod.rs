//! The database layer: everything that the crate asks of a database.

// Without a backend, nothing uses this module.
#![cfg_attr(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")), allow(dead_code, unused_imports))]

pub(crate) mod catalogue;
pub(crate) mod checkpoint;
pub(crate) mod clock;
pub(crate) mod condition;
pub(crate) mod connection;
pub(crate) mod dialect;
pub(crate) mod error_class;
pub(crate) mod estimate;
pub(crate) mod failure;
pub(crate) mod guard_kind;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod plan;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod quote;
pub(crate) mod replication;
pub(crate) mod row;
pub(crate) mod server;
pub(crate) mod session;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) mod slots;
pub(crate) mod sql;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod stop;
pub(crate) mod swap;
pub(crate) mod words;

#[cfg(feature = "mysql")]
pub(crate) use catalogue::Encoding;
pub(crate) use catalogue::{Catalogue, CatalogueColumn, IndexKey, KeyColumn, Relation, Trigger};
pub(crate) use checkpoint::Checkpoint;
pub(crate) use clock::{DatabaseClock, Moment};
pub(crate) use connection::{DialectConnection, TaskConnection};
pub(crate) use dialect::{
    CatalogueReader, Clusters, Conversion, Cost, Dialect, Effects, GuardLookup, Identity, Language, Locks, OwnTables,
    Poolers, ReplicationState, RowFormat, SessionSettings, SideEffects, Snapshots, SwapRows,
};
pub(crate) use error_class::ErrorClass;
#[cfg(feature = "postgres")]
pub(crate) use error_class::Wording;
#[cfg(feature = "sqlite")]
pub(crate) use error_class::class_of;
pub(crate) use estimate::{Estimate, TableEstimate};
pub(crate) use failure::Failure;
pub(crate) use guard_kind::GuardKind;
pub(crate) use order::{Circle, Disorder};
pub(crate) use page::Page;
pub(crate) use plan::{Plan, PlannedColumn, PlannedTable, Room};
pub(crate) use replication::{Replay, ReplicaState, Replication};
pub(crate) use row::{Cell, Change, KeyValue, Row, Swap};
pub(crate) use server::cluster::Membership;
pub(crate) use server::identity::{Anchor, Server};
pub(crate) use server::pooler::Pooler;
pub(crate) use server::url::ServerUrl;
pub(crate) use session::Session;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) use slots::Slots;
pub(crate) use sql::{Conn, Fields, Sql, TextRows};
pub(crate) use stop::StopHandle;
pub(crate) use words::{Flavor, Word};
