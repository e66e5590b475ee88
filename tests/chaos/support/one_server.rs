//! The database of a storm on a single server.

use crate::backend::TestDatabase;

pub fn database() -> TestDatabase {
    TestDatabase::new()
}

/// The URLs of the database on the other nodes of a cluster.
pub fn other_nodes(_: &TestDatabase) -> Vec<String> {
    Vec::new()
}
