//! What servers report about their replicas.

use std::time::Duration;

/// Who can tell how far replicas are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// There are none.
    None,
    /// The replicas, in seconds.
    KnownToReplicas,
    /// The primary and the replicas, in bytes of the log.
    KnownToAll,
}

/// What a primary tells.
pub struct Primary {
    /// The end of its log, in bytes.
    pub(crate) position: i64,
    /// The replicas that are connected to it.
    pub(crate) replicas: Vec<ReplicaState>,
}

/// What is known of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// Its name, for messages; of a replica that told this itself, the channel of several.
    pub(crate) name: String,
    pub(crate) replay: Replay,
}

/// How far a replica has come, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// So long behind, by its own account.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    Behind(Duration),
    /// At this position of the primary's log, and perhaps a lag by the server's own account. That one stays as it was
    /// when the replay stops, or is missing: it serves where the position does not tell.
    #[cfg_attr(not(any(feature = "postgres", test)), expect(dead_code))]
    At {
        position: i64,
        lag: Option<Duration>,
    },
    Unknown(String),
}
