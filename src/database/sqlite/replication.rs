//! SQLite has no replicas.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::{Conn, ReplicaState, Replication, ReplicationState};

impl ReplicationState for Sqlite {
    const REPLICATION: Replication = Replication::None;

    fn replica<C: Conn<Self>>(_: &mut C) -> QueryResult<Vec<ReplicaState>> {
        Ok(Vec::new())
    }
}
