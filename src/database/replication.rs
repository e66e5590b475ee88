//! What servers report about their replicas.

use std::time::Duration;

/// Which servers know how far replicas are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// There are no replicas.
    None,
    /// The replicas know it, in seconds.
    KnownToReplicas,
    /// The primary and the replicas know it, in bytes of the log.
    KnownToAll,
}

/// What a primary reports.
pub struct Primary {
    /// The end of its log, in bytes.
    pub(crate) position: i64,
    /// The connected replicas.
    pub(crate) replicas: Vec<ReplicaState>,
}

/// What is known of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// Its name, for messages. If the replica reported this itself: the name of the channel, in case it has several.
    pub(crate) name: String,
    pub(crate) replay: Replay,
}

/// How far a replica is, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// It is this far behind, by its own account.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    Behind(Duration),
    /// It is at this position of the primary's log. The lag is the server's own account. When the replay stops, the lag
    /// keeps its last value or is missing, so it counts only where the position is not enough.
    #[cfg_attr(not(any(feature = "postgres", test)), expect(dead_code))]
    At {
        position: i64,
        lag: Option<Duration>,
    },
    Unknown(String),
}
