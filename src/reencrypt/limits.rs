//! What a task may take of the database: its settings.

use std::path::PathBuf;
use std::time::Duration;

use super::dialect::Dialect;
use super::error::Refusal;
use super::lag::Replication;
use super::task::Task;

/// The most that a nice task rests, as a multiple of the time that it writes.
const NICEST: f64 = 1000.0;
/// The limit if replicas are named and none is set.
const MAX_LAG: Duration = Duration::from_secs(5);

/// All of them at rest: nothing is limited. No `Debug`: the URLs have passwords.
#[derive(Clone, Default)]
pub(super) struct Limits {
    pub(super) rows_per_second: Option<u64>,
    pub(super) nice: f64,
    pub(super) pause_file: Option<PathBuf>,
    pub(super) max_runtime: Option<Duration>,
    pub(super) replicas: Vec<String>,
    pub(super) max_lag: Option<Duration>,
    pub(super) max_lag_bytes: Option<u64>,
}

/// How far a replica may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MaxLag {
    pub(super) time: Option<Duration>,
    pub(super) bytes: Option<u64>,
}

/// # Sparing the database
///
/// Each limit is one more reason to wait; [`Progress::waiting`](super::Progress::waiting) tells the one that holds the
/// task at the moment. What cannot be found out counts as a reason: a task whose limit is the lag of a replica waits
/// while that replica does not answer.
impl Task<'_> {
    /// Walks at most so many rows in a second, all workers together. The default is as many as there are.
    pub fn max_rows_per_second(mut self, rows: u64) -> Self {
        self.limits.rows_per_second = Some(rows.max(1));
        self
    }

    /// Each worker rests after a write for `ratio` times as long as the write took: 1.0 halves the load. The default
    /// is 0.0, the most is 1000.0.
    pub fn nice(mut self, ratio: f64) -> Self {
        // NaN is no ratio either.
        self.limits.nice = if ratio > 0.0 { ratio.min(NICEST) } else { 0.0 };
        self
    }

    /// Waits while a replica is further behind than this.
    ///
    /// PostgreSQL knows its replicas: they are those that are connected to it when the task begins, and those that
    /// come later. The user must be a member of `pg_monitor`, or it is not told their lag. Of MySQL and MariaDB the
    /// [replicas](Self::replicas) have to be named. A replica that is meant to be behind (`recovery_min_apply_delay`,
    /// `MASTER_DELAY`) holds the task for ever: name the others.
    pub fn max_lag(mut self, time: Duration) -> Self {
        self.limits.max_lag = Some(time);
        self
    }

    /// Waits while a replica has more of the write-ahead log before it than this. PostgreSQL only.
    pub fn max_lag_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_lag_bytes = Some(bytes);
        self
    }

    /// Asks these replicas how far they are behind, and no others. Without another limit they may be 5 seconds.
    ///
    /// On MySQL and MariaDB the user needs the privilege to ask (`REPLICATION CLIENT`, `REPLICA MONITOR`), on
    /// PostgreSQL none. Messages name a replica by its host and port.
    pub fn replicas(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.limits.replicas.extend(urls);
        self
    }

    /// Waits while this file exists.
    pub fn pause_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.limits.pause_file = Some(path.into());
        self
    }

    /// Stops after this time, as the [`StopHandle`](super::StopHandle) would.
    pub fn max_runtime(mut self, time: Duration) -> Self {
        self.limits.max_runtime = Some(time);
        self
    }
}

impl Limits {
    /// Whether somebody has to look once a second.
    pub(super) fn need_watching(&self) -> bool {
        let lag = self.max_lag.is_some() || self.max_lag_bytes.is_some() || !self.replicas.is_empty();
        lag || self.pause_file.is_some() || self.max_runtime.is_some()
    }

    /// The limit of the lag, unless this database could never tell it: the task would wait for ever.
    pub(super) fn max_lag_on<B: Dialect>(&self) -> Result<Option<MaxLag>, Refusal> {
        let (time, bytes) = (self.max_lag, self.max_lag_bytes);
        let max_lag = match (time, bytes) {
            (None, None) if self.replicas.is_empty() => return Ok(None),
            (None, None) => MaxLag { time: Some(MAX_LAG), bytes },
            _ => MaxLag { time, bytes },
        };
        let reason = match B::REPLICATION {
            Replication::None => "this database has no replicas: leave out the limits of their lag",
            Replication::KnownToReplicas if bytes.is_some() => {
                "MySQL and MariaDB tell the lag of a replica in seconds, not in bytes: limit the seconds"
            }
            Replication::KnownToReplicas if self.replicas.is_empty() => {
                "MySQL and MariaDB do not know how far their replicas are behind: name each replica by its URL"
            }
            _ => return Ok(Some(max_lag)),
        };
        Err(Refusal::Limits { reason: reason.into() })
    }
}
