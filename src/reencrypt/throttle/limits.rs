//! The limits that an operator sets for the load.

use std::path::PathBuf;
use std::time::Duration;

use crate::database::{Dialect, Replication};
use crate::reencrypt::report::Refusal;
use crate::reencrypt::throttle::lag::MaxLag;

/// The limit of the lag if replicas are named and no limit is set.
const MAX_LAG: Duration = Duration::from_secs(5);

/// By default, nothing is limited. There is no `Debug`, because the URLs contain passwords.
#[derive(Clone, Default)]
pub(crate) struct Limits {
    pub(crate) rows_per_second: Option<u64>,
    pub(crate) nice: f64,
    pub(crate) pause_file: Option<PathBuf>,
    pub(crate) max_runtime: Option<Duration>,
    pub(crate) replicas: Vec<String>,
    pub(crate) max_lag: Option<Duration>,
    pub(crate) max_lag_bytes: Option<u64>,
}

impl Limits {
    /// Whether a monitor has to check the limits once a second.
    pub(crate) fn need_a_monitor(&self) -> bool {
        let lag = self.max_lag.is_some() || self.max_lag_bytes.is_some() || !self.replicas.is_empty();
        lag || self.pause_file.is_some() || self.max_runtime.is_some()
    }

    /// The limit of the lag. Refuses a limit if this database can never report the lag: the task would wait forever.
    pub(crate) fn max_lag_on<B: Dialect>(&self) -> Result<Option<MaxLag>, Refusal> {
        let max_lag = match (self.max_lag, self.max_lag_bytes) {
            (None, None) if self.replicas.is_empty() => return Ok(None),
            (None, None) => MaxLag { time: Some(MAX_LAG), bytes: None },
            (time, bytes) => MaxLag { time, bytes },
        };
        let reason = match B::REPLICATION {
            Replication::None => "this database has no replicas: leave out the limits of their lag",
            Replication::KnownToReplicas if max_lag.bytes.is_some() => {
                "MySQL and MariaDB report the lag of a replica in seconds, not in bytes: limit the seconds"
            }
            Replication::KnownToReplicas if self.replicas.is_empty() => {
                "MySQL and MariaDB do not know how far their replicas are behind: name each replica by its URL"
            }
            _ => return Ok(Some(max_lag)),
        };
        Err(Refusal::Limits { reason: reason.into() })
    }
}
