//! Looks about once a second whether the task may go on.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::database::replication::{Replay, Standing};
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::refusal::Refusal;
use crate::reencrypt::throttle::hold::Hold;
use crate::reencrypt::throttle::lag::{MaxLag, Positions};
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::throttle::replica::{Replica, ReplicaUrl};

/// The limits of a task that have to be looked at from time to time, and what is known of them.
pub(crate) struct Monitor {
    limits: Limits,
    max_lag: Option<MaxLag>,
    begun: Instant,
    positions: Positions,
    /// Those that are named. If none is, the primary tells of its own.
    replicas: Vec<Replica>,
    /// Replicas of which the primary has told.
    seen: BTreeSet<String>,
}

impl Monitor {
    /// Begins to ask the replicas, and the time that the task may take.
    ///
    /// # Errors
    ///
    /// A refusal of limits that this database cannot tell, and of URLs that are none.
    pub(crate) fn new<C: TaskConnection>(limits: &Limits) -> Result<Self, TaskError> {
        let max_lag = limits.max_lag_on::<C::Backend>()?;
        let urls = limits.replicas.iter().enumerate().map(|(index, url)| {
            let number = index + 1;
            ReplicaUrl::parse(url).ok_or_else(|| Refusal::Limits {
                reason: format!(
                    "the URL of replica {number} is not of the form scheme://user:password@host:port/database: write \
                     special characters of the password as %XX (`@` is %40, `/` is %2F)"
                ),
            })
        });
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            limits: limits.clone(),
            max_lag,
            begun: Instant::now(),
            positions: Positions::new(max_lag),
            replicas: urls.into_iter().map(Replica::new::<C>).collect(),
            seen: BTreeSet::new(),
        })
    }

    /// Whether a check needs a connection to the primary.
    pub(crate) fn asks_primary(&self) -> bool {
        self.max_lag.is_some()
    }

    /// Why the task must not go on now, if it must not: the first reason of all. `conn` is to the primary; it is asked
    /// one or two short questions, if at all. `None` if there is no connection.
    ///
    /// A connection that fails is a reason; whether it has to be replaced is the caller's to find out.
    pub(crate) fn check<C: TaskConnection>(&mut self, conn: Option<&mut C>) -> Option<Hold> {
        self.time().or_else(|| self.pause_file()).or_else(|| self.lag(conn))
    }

    fn time(&self) -> Option<Hold> {
        let limit = self.limits.max_runtime?;
        (self.begun.elapsed() >= limit).then_some(Hold::TimeIsUp { limit })
    }

    fn pause_file(&self) -> Option<Hold> {
        let path = self.limits.pause_file.clone()?;
        match path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(Hold::PauseFile { path }),
            Err(error) => Some(Hold::PauseFileUnknown { path, reason: error.to_string() }),
        }
    }

    fn lag<C: TaskConnection>(&mut self, conn: Option<&mut C>) -> Option<Hold> {
        let max_lag = self.max_lag?;
        let unknown = |reason: String| Some(Hold::Unknown { replica: None, reason });
        let Some(conn) = conn else { return unknown("there is no connection to the primary".into()) };
        let primary = match C::Backend::primary(conn) {
            Ok(primary) => primary,
            Err(error) => return unknown(format!("the primary does not tell: {error}")),
        };
        let now = Instant::now();
        let mut known = Vec::new();
        if let Some(primary) = primary {
            self.positions.record(now, primary.position);
            known = primary.replicas;
        }
        if !self.replicas.is_empty() {
            let answers = self.replicas.iter_mut().map(Replica::standings);
            return answers
                .flat_map(|(at, standings)| standings.into_iter().map(move |standing| (at, standing)))
                .find_map(|(at, standing)| self.positions.hold(&standing, at, max_lag));
        }
        if known.is_empty() && self.seen.is_empty() {
            return unknown("no replica is connected to the primary".into());
        }
        if let Some(missing) = self.seen.iter().find(|name| known.iter().all(|standing| standing.name != **name)) {
            let reason = "it is not connected any more; if it is gone for good, run the task again".into();
            return Some(Hold::Unknown { replica: Some(missing.clone()), reason });
        }
        let is_replica = |standing: &&Standing| matches!(standing.replay, Replay::At { .. });
        self.seen.extend(known.iter().filter(is_replica).map(|standing| standing.name.clone()));
        known.iter().find_map(|standing| self.positions.hold(standing, now, max_lag))
    }
}
