//! The limits of a task.

use std::path::PathBuf;
use std::time::Duration;

use crate::reencrypt::task::settings::Task;

/// The longest pause of a nice task, as a multiple of the time that its write took.
const NICEST: f64 = 1000.0;

/// # Limiting the load
///
/// Each limit is a reason to wait; [`Progress::waits_for`](crate::reencrypt::Progress::waits_for) shows the current
/// one. A limit that cannot be checked is a reason too: with a limit for the lag, the task waits while a replica does
/// not answer. The task checks the lag once a second, on one more connection of the pool than the workers have.
impl Task<'_> {
    /// Processes at most this many rows in a second, all workers together. By default there is no limit.
    pub fn max_rows_per_second(mut self, rows: u64) -> Self {
        self.settings.limits.rows_per_second = Some(rows.max(1));
        self
    }

    /// Makes each worker pause after a write for `ratio` times as long as the write took: 1.0 halves the load. The
    /// default is 0.0, the maximum is 1000.0.
    pub fn nice(mut self, ratio: f64) -> Self {
        // NaN is not a ratio either.
        self.settings.limits.nice = if ratio > 0.0 { ratio.min(NICEST) } else { 0.0 };
        self
    }

    /// Waits while a replica lags behind by more than this.
    ///
    /// PostgreSQL knows its replicas: those that are connected when the task begins, and those that connect later. The
    /// user must be a member of `pg_monitor` to see their lag. For MySQL and MariaDB you have to name the
    /// [replicas](Self::replicas). A replica with an intended delay (`recovery_min_apply_delay`, `MASTER_DELAY`) pauses
    /// the task for ever: name the other replicas instead.
    pub fn max_lag(mut self, time: Duration) -> Self {
        self.settings.limits.max_lag = Some(time);
        self
    }

    /// Waits while a replica still has more than this many bytes of the write-ahead log to replay. PostgreSQL only.
    pub fn max_lag_bytes(mut self, bytes: u64) -> Self {
        self.settings.limits.max_lag_bytes = Some(bytes);
        self
    }

    /// Asks these replicas for their lag, and no others. Without another limit, they may lag behind by at most 5
    /// seconds.
    ///
    /// The user of the URL needs `REPLICA MONITOR` on MariaDB, `SELECT` on `performance_schema` on MySQL, and no
    /// privilege on PostgreSQL. Messages name a replica by its host and port. If the connection between primary and
    /// replica dies silently, MySQL and MariaDB notice it only after `slave_net_timeout`. Until then the replica
    /// reports no lag.
    pub fn replicas(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.settings.limits.replicas.extend(urls);
        self
    }

    /// Waits while this file exists.
    pub fn pause_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.limits.pause_file = Some(path.into());
        self
    }

    /// Stops after this time, as the [`StopHandle`](crate::reencrypt::StopHandle) would.
    pub fn max_runtime(mut self, time: Duration) -> Self {
        self.settings.limits.max_runtime = Some(time);
        self
    }
}
