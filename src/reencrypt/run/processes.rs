//! The processes that take part in a run, and their leases.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::database::Moment;

/// The longest lease. A longer one that somebody has written into the tables counts as over, so that nobody waits for it.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// The processes by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Processes(BTreeMap<String, Member>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    /// When its lease ends, unless the process renews it.
    until: Moment,
    /// A stop is for the processes that take part at that time, not for processes that join later.
    is_stopped: bool,
}

impl Processes {
    /// The names of the processes that are alive.
    pub(crate) fn alive(&self, now: Moment) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, member)| member.is_alive(now)).map(|(name, _)| name.as_str())
    }

    pub(crate) fn is_alive(&self, process: &str, now: Moment) -> bool {
        self.0.get(process).is_some_and(|member| member.is_alive(now))
    }

    /// Whether the run counts this process as one of its own.
    pub(crate) fn has(&self, process: &str) -> bool {
        self.0.contains_key(process)
    }

    pub(crate) fn is_stopped(&self, process: &str) -> bool {
        self.0.get(process).is_some_and(|member| member.is_stopped)
    }

    pub(crate) fn add(&mut self, process: &str, now: Moment, lease: Duration) {
        self.0.insert(process.to_owned(), Member { until: end(now, lease), is_stopped: false });
    }

    /// Renews the lease of a process, and with it all its claims.
    pub(crate) fn renew(&mut self, process: &str, now: Moment, lease: Duration) {
        if let Some(member) = self.0.get_mut(process) {
            member.until = end(now, lease);
        }
    }

    /// Removes a process. Others can take over its claims at once.
    pub(crate) fn remove(&mut self, process: &str) {
        self.0.remove(process);
    }

    /// Asks the processes that take part now to stop.
    pub(crate) fn stop(&mut self) {
        self.0.values_mut().for_each(|member| member.is_stopped = true);
    }
}

impl Member {
    fn is_alive(&self, now: Moment) -> bool {
        self.until > now && self.until <= end(now, LONGEST_LEASE)
    }
}

/// The end of a lease that begins now.
fn end(now: Moment, lease: Duration) -> Moment {
    now.saturating_add(u64::try_from(lease.min(LONGEST_LEASE).as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_alive_for_ever() {
        let mut processes = Processes::default();
        processes.add("a", 1_000, Duration::MAX);
        assert!(processes.is_alive("a", 1_000));
        let forged = r#"{"a":{"until":18446744073709551615,"is_stopped":false}}"#;
        let forged: Processes = serde_json::from_str(forged).unwrap();
        assert!(forged.has("a") && !forged.is_alive("a", 1_000) && forged.alive(1_000).next().is_none());
    }
}
