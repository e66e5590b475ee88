//! How far a replica is behind, from what the servers tell.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::database::replication::{Replay, ReplicaState};
use crate::reencrypt::throttle::hold::Hold;

/// How far a replica may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxLag {
    pub(crate) time: Option<Duration>,
    pub(crate) bytes: Option<u64>,
}

/// When the primary's log reached which position.
pub(crate) struct Positions {
    samples: VecDeque<(Instant, i64)>,
    /// What is older serves nobody: a replica that is behind it is behind the limit.
    window: Duration,
}

impl Positions {
    pub(crate) fn new(max_lag: Option<MaxLag>) -> Self {
        let time = max_lag.and_then(|max_lag| max_lag.time).unwrap_or_default();
        Self { samples: VecDeque::new(), window: time.saturating_add(Duration::from_secs(60)) }
    }

    pub(crate) fn record(&mut self, now: Instant, position: i64) {
        if self.samples.back().is_none_or(|(_, last)| *last < position) {
            self.samples.push_back((now, position));
        }
        let is_old = |(at, _): &(Instant, i64)| now.saturating_duration_since(*at) > self.window;
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
    }

    /// Why the task has to wait for a replica that told this at that time.
    pub(crate) fn hold(&self, standing: &ReplicaState, at: Instant, max: MaxLag) -> Option<Hold> {
        let replica = || standing.name.clone();
        let unknown = |reason: &str| Some(Hold::Unknown { replica: Some(replica()), reason: reason.to_owned() });
        let (time, bytes) = match &standing.replay {
            Replay::Unknown(reason) => return unknown(reason),
            Replay::Behind(time) => (Some(*time), None),
            Replay::At { position, lag } => (self.time_behind(*position, at, *lag), self.bytes_behind(*position, at)),
        };
        if let Some(limit) = max.bytes {
            match bytes {
                None => return unknown("it tells no position in the log"),
                Some(bytes) if bytes > limit => return Some(Hold::BytesBehind { replica: replica(), bytes, limit }),
                Some(_) => {}
            }
        }
        if let Some(limit) = max.time {
            match time {
                None => return unknown("it has not replayed yet what was there when the task began"),
                Some(time) if time > limit => return Some(Hold::Behind { replica: replica(), time, limit }),
                Some(_) => {}
            }
        }
        None
    }

    /// Against the end of the log before the replica told its position: what came later it could not have.
    fn bytes_behind(&self, replayed: i64, at: Instant) -> Option<u64> {
        let before = self.samples.iter().rfind(|(time, _)| *time <= at).or(self.samples.front());
        before.map(|(_, position)| u64::try_from(position - replayed).unwrap_or(0))
    }

    /// The time since the log has been longer than what is replayed.
    fn time_behind(&self, replayed: i64, at: Instant, told: Option<Duration>) -> Option<Duration> {
        if self.bytes_behind(replayed, at)? == 0 {
            return Some(Duration::ZERO);
        }
        let first = self.samples.iter().position(|(_, position)| *position > replayed)?;
        let measured = at.saturating_duration_since(self.samples[first].0);
        // Behind since before the first sample: for how long, only the server can know.
        if first == 0 { told.map(|told| told.max(measured)) } else { Some(measured) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The log grows by 100 bytes a second, from 1000; the limits are 5 seconds and 700 bytes.
    fn hold(replay: Replay, at: u32) -> Option<String> {
        let max = MaxLag { time: Some(5 * SECOND), bytes: Some(700) };
        let mut positions = Positions::new(Some(max));
        let begun = Instant::now();
        for second in 0..10 {
            positions.record(begun + second * SECOND, 1000 + 100 * i64::from(second));
        }
        let standing = ReplicaState { name: "r".into(), replay };
        positions.hold(&standing, begun + at * SECOND, max).map(|hold| hold.to_string())
    }

    fn at(position: i64, lag: Option<u32>) -> Replay {
        Replay::At { position, lag: lag.map(|lag| lag * SECOND) }
    }

    #[test]
    fn a_replica_that_has_everything_has_no_lag_whatever_is_told() {
        for lag in [None, Some(0), Some(3600)] {
            assert_eq!(hold(at(1900, lag), 9), None);
            assert_eq!(hold(at(2500, lag), 9), None, "it was asked later than the primary");
        }
    }

    #[test]
    fn the_time_is_measured_from_the_positions() {
        assert_eq!(hold(at(1300, None), 9), None, "what it lacks was written 5 s ago");
        let told = |lag| hold(at(1250, lag), 9);
        assert_eq!(told(None).unwrap(), "replica r is 6.0 s behind, more than 5 s");
        // PostgreSQL goes on telling the last lag when the replay has stopped.
        assert_eq!(told(Some(0)), told(None));
    }

    #[test]
    fn the_bytes_are_those_before_the_answer() {
        assert_eq!(hold(at(1000, Some(0)), 8).unwrap(), "replica r is 800 B behind, more than 700 B");
        assert_eq!(hold(at(1000, Some(0)), 5), None);
    }

    #[test]
    fn behind_since_before_the_first_sample() {
        assert!(
            hold(at(900, None), 3).unwrap().starts_with("the lag of replica r is unknown: it has not replayed yet")
        );
        assert_eq!(hold(at(900, Some(2)), 3), None);
        assert_eq!(hold(at(900, Some(6)), 3).unwrap(), "replica r is 6.0 s behind, more than 5 s");
    }

    #[test]
    fn what_is_not_known_holds() {
        let stopped = Replay::Unknown("it is stopped".into());
        assert_eq!(hold(stopped, 9).unwrap(), "the lag of replica r is unknown: it is stopped");
        let seconds_only = Replay::Behind(Duration::ZERO);
        assert!(hold(seconds_only, 9).unwrap().contains("no position"));
        let max = MaxLag { time: Some(SECOND), bytes: None };
        let standing = ReplicaState { name: "r".into(), replay: at(0, None) };
        assert!(Positions::new(Some(max)).hold(&standing, Instant::now(), max).is_some(), "no sample at all");
    }

    #[test]
    fn old_samples_go_and_the_last_one_stays() {
        let max = MaxLag { time: Some(5 * SECOND), bytes: None };
        let mut positions = Positions::new(Some(max));
        let begun = Instant::now();
        for second in 0..10_000 {
            positions.record(begun + second * SECOND, i64::from(second).min(9000));
        }
        assert_eq!(positions.samples.len(), 1);
        let stopped = ReplicaState { name: "r".into(), replay: at(8999, None) };
        assert!(positions.hold(&stopped, begun + 10_000 * SECOND, max).is_some());
    }
}
