//! How far a replica is behind, computed from what the servers report.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::database::{Replay, ReplicaState};
use crate::reencrypt::throttle::pause::PauseReason;

/// How far a replica may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxLag {
    pub(crate) time: Option<Duration>,
    pub(crate) bytes: Option<u64>,
}

/// The positions of the primary's log, each with the time at which the log reached it.
pub(crate) struct Positions {
    samples: VecDeque<(Instant, i64)>,
    /// Older samples are useless: a replica that has not reached them exceeds the limit anyway.
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

    /// Why the task has to wait for a replica that reported this state at that time.
    pub(crate) fn pause_reason(&self, standing: &ReplicaState, at: Instant, max: MaxLag) -> Option<PauseReason> {
        let replica = || standing.name.clone();
        let unknown = |reason: &str| Some(PauseReason::Unknown { replica: Some(replica()), reason: reason.to_owned() });
        let (time, bytes) = match &standing.replay {
            Replay::Unknown(reason) => return unknown(reason),
            Replay::Behind(time) => (Some(*time), None),
            Replay::At { position, lag } => (self.time_behind(*position, at, *lag), self.bytes_behind(*position, at)),
        };
        if let Some(limit) = max.bytes {
            match bytes {
                None => return unknown("it reports no position in the log"),
                Some(bytes) if bytes > limit => {
                    return Some(PauseReason::BytesBehind { replica: replica(), bytes, limit });
                }
                Some(_) => {}
            }
        }
        if let Some(limit) = max.time {
            match time {
                None => return unknown("it has not yet replayed the log up to the position at which the task began"),
                Some(time) if time > limit => return Some(PauseReason::Behind { replica: replica(), time, limit }),
                Some(_) => {}
            }
        }
        None
    }

    /// Compares with the end of the log before the replica reported its position: the replica cannot have anything
    /// later.
    fn bytes_behind(&self, replayed: i64, at: Instant) -> Option<u64> {
        let before = self.samples.iter().rfind(|(time, _)| *time <= at).or(self.samples.front());
        before.map(|(_, position)| u64::try_from(position - replayed).unwrap_or(0))
    }

    /// The time since the log grew past the replayed position.
    fn time_behind(&self, replayed: i64, at: Instant, reported: Option<Duration>) -> Option<Duration> {
        if self.bytes_behind(replayed, at)? == 0 {
            return Some(Duration::ZERO);
        }
        let first = self.samples.iter().position(|(_, position)| *position > replayed)?;
        let measured = at.saturating_duration_since(self.samples[first].0);
        // The replica was behind before the first sample. Only the server can know for how long.
        if first == 0 { reported.map(|lag| lag.max(measured)) } else { Some(measured) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The log grows by 100 bytes a second, from 1000; the limits are 5 seconds and 700 bytes.
    fn reason(replay: Replay, at: u32) -> Option<String> {
        let max = MaxLag { time: Some(5 * SECOND), bytes: Some(700) };
        let mut positions = Positions::new(Some(max));
        let begun = Instant::now();
        for second in 0..10 {
            positions.record(begun + second * SECOND, 1000 + 100 * i64::from(second));
        }
        let standing = ReplicaState { name: "r".into(), replay };
        positions.pause_reason(&standing, begun + at * SECOND, max).map(|reason| reason.to_string())
    }

    fn at(position: i64, lag: Option<u32>) -> Replay {
        Replay::At { position, lag: lag.map(|lag| lag * SECOND) }
    }

    #[test]
    fn a_replica_that_has_everything_has_no_lag_whatever_it_reports() {
        for lag in [None, Some(0), Some(3600)] {
            assert_eq!(reason(at(1900, lag), 9), None);
            assert_eq!(reason(at(2500, lag), 9), None, "the replica answered later than the primary");
        }
    }

    #[test]
    fn the_time_is_measured_from_the_positions() {
        assert_eq!(reason(at(1300, None), 9), None, "the missing part was written 5 s ago");
        let reported = |lag| reason(at(1250, lag), 9);
        assert_eq!(reported(None).unwrap(), "replica r is 6.0 s behind, more than 5 s");
        // PostgreSQL keeps reporting the last lag when the replay has stopped.
        assert_eq!(reported(Some(0)), reported(None));
    }

    #[test]
    fn the_bytes_are_those_before_the_answer() {
        assert_eq!(reason(at(1000, Some(0)), 8).unwrap(), "replica r is 800 B behind, more than 700 B");
        assert_eq!(reason(at(1000, Some(0)), 5), None);
    }

    #[test]
    fn behind_since_before_the_first_sample() {
        assert!(
            reason(at(900, None), 3).unwrap().starts_with("the lag of replica r is unknown: it has not yet replayed")
        );
        assert_eq!(reason(at(900, Some(2)), 3), None);
        assert_eq!(reason(at(900, Some(6)), 3).unwrap(), "replica r is 6.0 s behind, more than 5 s");
    }

    #[test]
    fn an_unknown_lag_pauses() {
        let stopped = Replay::Unknown("it is stopped".into());
        assert_eq!(reason(stopped, 9).unwrap(), "the lag of replica r is unknown: it is stopped");
        let seconds_only = Replay::Behind(Duration::ZERO);
        assert!(reason(seconds_only, 9).unwrap().contains("no position"));
        let max = MaxLag { time: Some(SECOND), bytes: None };
        let standing = ReplicaState { name: "r".into(), replay: at(0, None) };
        assert!(Positions::new(Some(max)).pause_reason(&standing, Instant::now(), max).is_some(), "no sample at all");
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
        assert!(positions.pause_reason(&stopped, begun + 10_000 * SECOND, max).is_some());
    }
}
