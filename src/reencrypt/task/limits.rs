//! The limits of a task, as it is given them.

use std::path::PathBuf;
use std::time::Duration;

use crate::reencrypt::task::settings::Task;

/// The most that a nice task rests, as a multiple of the time that it writes.
const NICEST: f64 = 1000.0;

/// # Sparing the database
///
/// Each limit is one more reason to wait; [`Progress::waits_for`](crate::reencrypt::Progress::waits_for) tells the one that holds the
/// task at the moment. What cannot be found out counts as a reason: a task whose limit is the lag of a replica waits
/// while that replica does not answer. The lag is looked at once a second, on one connection of the pool more than the
/// workers have.
impl Task<'_> {
    /// Walks at most so many rows in a second, all workers together. The default is as many as there are.
    pub fn max_rows_per_second(mut self, rows: u64) -> Self {
        self.settings.limits.rows_per_second = Some(rows.max(1));
        self
    }

    /// Each worker rests after a write for `ratio` times as long as the write took: 1.0 halves the load. The default
    /// is 0.0, the most is 1000.0.
    pub fn nice(mut self, ratio: f64) -> Self {
        // NaN is no ratio either.
        self.settings.limits.nice = if ratio > 0.0 { ratio.min(NICEST) } else { 0.0 };
        self
    }

    /// Waits while a replica is further behind than this.
    ///
    /// PostgreSQL knows its replicas: they are those that are connected to it when the task begins, and those that
    /// come later. The user must be a member of `pg_monitor`, or it is not told their lag. Of MySQL and MariaDB the
    /// [replicas](Self::replicas) have to be named. A replica that is meant to be behind (`recovery_min_apply_delay`,
    /// `MASTER_DELAY`) holds the task for ever: name the others.
    pub fn max_lag(mut self, time: Duration) -> Self {
        self.settings.limits.max_lag = Some(time);
        self
    }

    /// Waits while a replica has more of the write-ahead log before it than this. PostgreSQL only.
    pub fn max_lag_bytes(mut self, bytes: u64) -> Self {
        self.settings.limits.max_lag_bytes = Some(bytes);
        self
    }

    /// Asks these replicas how far they are behind, and no others. Without another limit they may be 5 seconds.
    ///
    /// The user there needs no privilege on PostgreSQL, `REPLICA MONITOR` on MariaDB, and on MySQL `SELECT` on
    /// `performance_schema`. Messages name a replica by its host and port. MySQL and MariaDB notice a connection between
    /// primary and replica that is dead without a word after `slave_net_timeout` only; until then the replica tells no
    /// lag.
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
