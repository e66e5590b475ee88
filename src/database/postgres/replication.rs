//! How far the replicas of a PostgreSQL server are behind.

use std::time::Duration;

use diesel::deserialize::QueryableByName;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Double, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::replication::Primary;
use crate::database::{Conn, Replay, ReplicaState, Replication, ReplicationState, SessionSettings};

impl ReplicationState for Pg {
    const REPLICATION: Replication = Replication::KnownToAll;

    fn primary<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<Primary>> {
        let (position, replicas) = Self::pinned(conn, |conn| -> QueryResult<_> {
            // The position is read before the replicas. Otherwise a write in between would make every replica look
            // behind.
            let position = sql::<BigInt>(POSITION).get_result(conn)?;
            Ok((position, sql_query(REPLICAS).load::<ReplicaRow>(conn)?))
        })?;
        Ok(Some(Primary { position, replicas: replicas.into_iter().map(ReplicaRow::into_state).collect() }))
    }

    fn replica<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<ReplicaState>> {
        let rows: Vec<ReplicaRow> = Self::pinned(conn, |conn| sql_query(REPLICA).load(conn))?;
        Ok(rows.into_iter().map(ReplicaRow::into_state).collect())
    }
}

const POSITION: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8 AS position";

/// Base backups are not replicas, and neither are programs that keep the log but never replay it, such as pg_receivewal.
/// Without the privilege, every column except the name is NULL.
const REPLICAS: &str = "\
    SELECT CASE WHEN client_addr IS NULL THEN coalesce(application_name, '') \
                WHEN application_name IN ('', 'walreceiver') THEN host(client_addr) \
                ELSE host(client_addr) || ' (' || application_name || ')' END AS name, \
           pg_wal_lsn_diff(replay_lsn, '0/0')::int8 AS position, extract(epoch FROM replay_lag)::float8 AS lag \
    FROM pg_catalog.pg_stat_replication \
    WHERE state IS DISTINCT FROM 'backup' AND (write_lsn IS NULL OR replay_lsn IS NOT NULL) \
    ORDER BY 1";

/// Returns no row if the server is not in recovery.
const REPLICA: &str = "\
    SELECT '' AS name, pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::int8 AS position, \
           extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS lag \
    WHERE pg_is_in_recovery()";

#[derive(QueryableByName)]
struct ReplicaRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    position: Option<i64>,
    #[diesel(sql_type = Nullable<Double>)]
    lag: Option<f64>,
}

impl ReplicaRow {
    fn into_state(self) -> ReplicaState {
        let replay = match self.position {
            // The clocks of two machines differ, so a lag below zero counts as zero.
            Some(position) => Replay::At { position, lag: self.lag.map(|lag| Duration::from_secs_f64(lag.max(0.0))) },
            None => Replay::Unknown(
                "the server does not show its position. If the replica is not just connecting, grant pg_monitor to the \
                 user of the task"
                    .into(),
            ),
        };
        ReplicaState { name: self.name, replay }
    }
}
