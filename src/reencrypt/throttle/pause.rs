//! Why a task pauses.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::targets::Escaping;

/// Why a task must not continue now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PauseReason {
    /// The run has reached its time limit, and ends as on request.
    TimeIsUp {
        limit: Duration,
    },
    PauseFile {
        path: PathBuf,
    },
    PauseFileUnknown {
        path: PathBuf,
        reason: String,
    },
    Behind {
        replica: String,
        time: Duration,
        limit: Duration,
    },
    BytesBehind {
        replica: String,
        bytes: u64,
        limit: u64,
    },
    /// The lag of this replica is unknown. Without a name, the lag of every replica is unknown.
    Unknown {
        replica: Option<String>,
        reason: String,
    },
    /// The monitor has not checked the limits for this time; `None` if it never has.
    Unchecked {
        since: Option<Duration>,
    },
}

impl PauseReason {
    /// Whether an operator has asked for the pause.
    pub(crate) fn is_requested(&self) -> bool {
        matches!(self, Self::PauseFile { .. } | Self::PauseFileUnknown { .. })
    }

    /// Whether the run must stop, because the reason never goes away.
    pub(crate) fn ends_the_run(&self) -> bool {
        matches!(self, Self::TimeIsUp { .. })
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            Self::TimeIsUp { limit } => write!(f, "the time limit of {} s is reached", limit.as_secs_f64()),
            Self::PauseFile { path } => write!(f, "the file {} exists", path.display()),
            Self::PauseFileUnknown { path, reason } => {
                write!(f, "it is unknown whether the file {} exists: {reason}", path.display())
            }
            Self::Behind { replica, time, limit } => {
                write!(
                    f,
                    "replica {replica} is {:.1} s behind, more than {} s",
                    time.as_secs_f64(),
                    limit.as_secs_f64()
                )
            }
            Self::BytesBehind { replica, bytes, limit } => {
                write!(f, "replica {replica} is {} behind, more than {}", Bytes(*bytes), Bytes(*limit))
            }
            Self::Unknown { replica: Some(replica), reason } => {
                write!(f, "the lag of replica {replica} is unknown: {reason}")
            }
            Self::Unknown { replica: None, reason } => write!(f, "the lag of the replicas is unknown: {reason}"),
            Self::Unchecked { since: None } => f.write_str("the limits have not been checked yet"),
            Self::Unchecked { since: Some(since) } => {
                write!(f, "the limits have not been checked for {} s", since.as_secs())
            }
        }
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0 as f64;
        for unit in ["B", "KiB", "MiB"] {
            if amount < 1024.0 {
                return write!(f, "{} {unit}", (amount * 10.0).round() / 10.0);
            }
            amount /= 1024.0;
        }
        write!(f, "{:.1} GiB", amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        let shown = [0, 1023, 1536, 256 << 20, (5 << 30) + (1 << 29)].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(shown, ["0 B", "1023 B", "1.5 KiB", "256 MiB", "5.5 GiB"]);
    }
}
