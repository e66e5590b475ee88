//! How far a replica of MySQL or MariaDB is behind.

use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::ReplicationState;
use crate::database::mysql::server::is_mariadb;
use crate::database::replication::{Replay, ReplicaState, Replication};
use crate::database::sql::Conn;

impl ReplicationState for Mysql {
    const REPLICATION: Replication = Replication::KnownToReplicas;

    fn replica<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<ReplicaState>> {
        let sql = if is_mariadb(conn)? { "SHOW ALL SLAVES STATUS" } else { CHANNELS_OF_MYSQL };
        let channels: Vec<Channel> = sql_query(sql).load(conn)?;
        Ok(channels.into_iter().map(Channel::into_state).collect())
    }
}

/// The columns of MariaDB's `SHOW ALL SLAVES STATUS`, from the tables of MySQL. Diesel cannot read a `SHOW` of MySQL.
///
/// If a replica delays, receives or applies a transaction, its lag is the time since the primary committed that
/// transaction. If it has received a transaction but not applied it, its lag is the time since the last applied one.
/// The times come from the clocks of both servers.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/performance-schema-replication-tables.html>
const CHANNELS_OF_MYSQL: &str = "\
    WITH work AS ( \
        SELECT channel_name, UNIX_TIMESTAMP(last_applied_transaction_original_commit_timestamp) AS applied, \
               UNIX_TIMESTAMP(applying_transaction_original_commit_timestamp) AS applying \
        FROM performance_schema.replication_applier_status_by_worker \
        UNION ALL \
        SELECT channel_name, 0, UNIX_TIMESTAMP(processing_transaction_original_commit_timestamp) \
        FROM performance_schema.replication_applier_status_by_coordinator \
        UNION ALL \
        SELECT channel_name, 0, UNIX_TIMESTAMP(queueing_transaction_original_commit_timestamp) \
        FROM performance_schema.replication_connection_status \
    ), channels AS ( \
        SELECT r.channel_name, r.service_state AS receiver, a.service_state AS applier, \
               CAST(d.desired_delay AS SIGNED) - CAST(a.remaining_delay AS SIGNED) AS held_back, \
               UNIX_TIMESTAMP(r.last_queued_transaction_original_commit_timestamp) AS queued, \
               (SELECT MAX(w.applied) FROM work w WHERE w.channel_name = r.channel_name) AS applied, \
               (SELECT MIN(NULLIF(w.applying, 0)) FROM work w WHERE w.channel_name = r.channel_name) AS applying \
        FROM performance_schema.replication_connection_status r \
        JOIN performance_schema.replication_applier_status a USING (channel_name) \
        JOIN performance_schema.replication_applier_configuration d USING (channel_name) \
        WHERE r.channel_name <> 'group_replication_recovery' \
    ) \
    SELECT channel_name AS Connection_name, \
           CASE receiver WHEN 'ON' THEN 'Yes' WHEN 'OFF' THEN 'No' ELSE receiver END AS Slave_IO_Running, \
           CASE applier WHEN 'ON' THEN 'Yes' WHEN 'OFF' THEN 'No' ELSE applier END AS Slave_SQL_Running, \
           CAST(CASE WHEN held_back IS NOT NULL OR applying IS NOT NULL \
                         THEN GREATEST(0, COALESCE(held_back, 0), COALESCE(UNIX_TIMESTAMP() - applying, 0)) \
                     WHEN queued <= applied THEN 0 \
                     WHEN applied > 0 THEN GREATEST(0, UNIX_TIMESTAMP() - applied) END AS SIGNED) \
               AS Seconds_Behind_Master \
    FROM channels";

/// A connection from a replica to a primary.
struct Channel {
    name: Option<String>,
    receiver: Option<String>,
    applier: Option<String>,
    seconds: Option<i64>,
}

impl QueryableByName<Mysql> for Channel {
    fn build<'a>(row: &impl NamedRow<'a, Mysql>) -> deserialize::Result<Self> {
        let text = |name| NamedRow::get::<Nullable<Text>, Option<String>>(row, name);
        Ok(Self {
            name: text("Connection_name")?,
            receiver: text("Slave_IO_Running")?,
            applier: text("Slave_SQL_Running")?,
            seconds: NamedRow::get::<Nullable<BigInt>, Option<i64>>(row, "Seconds_Behind_Master")?,
        })
    }
}

impl Channel {
    fn into_state(self) -> ReplicaState {
        let receiver = self.receiver.unwrap_or_default();
        let applier = self.applier.unwrap_or_default();
        let replay = match self.seconds.map(u64::try_from) {
            _ if receiver != "Yes" || applier != "Yes" => {
                Replay::Unknown(format!("its replication does not run (receiving: {receiver}, applying: {applier})"))
            }
            Some(Ok(seconds)) => Replay::Behind(Duration::from_secs(seconds)),
            _ => Replay::Unknown("it has not applied anything since it started".into()),
        };
        ReplicaState { name: self.name.unwrap_or_default(), replay }
    }
}
