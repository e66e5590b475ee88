//! The state of replicas, as servers report it.

use std::time::Duration;

/// Which servers know how far replicas are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// There are no replicas.
    None,
    /// Only the replicas know their lag, in seconds.
    KnownToReplicas,
    /// The primary and the replicas know the lag, in bytes of the log.
    KnownToAll,
}

/// The report of a primary.
pub struct Primary {
    /// The end of its log, in bytes.
    pub(crate) position: i64,
    /// The connected replicas.
    pub(crate) replicas: Vec<ReplicaState>,
}

/// The state of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// The name for messages. A replica that reports its own state gives the name of the channel, because it may have
    /// several.
    pub(crate) name: String,
    pub(crate) replay: Replay,
}

/// How far a replica is behind, or why that is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// The replica reports that it is this far behind.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    Behind(Duration),
    /// The replica is at this position of the primary's log, and the server reports this lag. When the replay stops,
    /// the lag keeps its last value or is missing. It counts only where the position is not enough.
    #[cfg_attr(not(any(feature = "postgres", test)), expect(dead_code))]
    At {
        position: i64,
        lag: Option<Duration>,
    },
    Unknown(String),
}
