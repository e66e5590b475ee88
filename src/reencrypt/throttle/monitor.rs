//! Checks the limits about once a second, on a thread of its own.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};

use crate::database::server::url::BadUrl;
use crate::database::{Language, Replay, ReplicaState, ReplicationState, ServerUrl, StopHandle, TaskConnection};
use crate::reencrypt::report::{Refusal, TaskError};
use crate::reencrypt::throttle::lag::{MaxLag, Positions};
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::throttle::pause::PauseReason;
use crate::reencrypt::throttle::rate::Throttle;
use crate::reencrypt::throttle::replica::{self, Replica};

const INTERVAL: Duration = Duration::from_secs(1);

type PrimaryConnection<C> = PooledConnection<ConnectionManager<C>>;

/// The limits of a task that need checking, and what is known about them.
pub(crate) struct Monitor {
    limits: Limits,
    max_lag: Option<MaxLag>,
    begun: Instant,
    positions: Positions,
    /// The named replicas. If there are none, the primary reports on its own.
    replicas: Vec<Replica>,
    /// The names of the replicas that the primary has reported.
    seen: BTreeSet<String>,
}

impl Monitor {
    /// Starts the clock of the task, and begins to ask the replicas.
    ///
    /// # Errors
    ///
    /// Refuses limits that this database cannot check, and malformed URLs.
    pub(crate) fn new<C: TaskConnection>(limits: &Limits) -> Result<Self, TaskError> {
        let max_lag = limits.max_lag_on::<C::Backend>()?;
        let urls = limits.replicas.iter().enumerate().map(|(index, url)| {
            let number = index + 1;
            ServerUrl::parse::<C::Backend>(url).map_err(|bad| Refusal::Limits {
                reason: match bad {
                    BadUrl::Ambiguous => format!(
                        "the URL of replica {number} is not of the form scheme://user:password@host:port/database: write \
                         special characters of the password as %XX (`@` is %40, `/` is %2F)"
                    ),
                    BadUrl::OtherScheme => format!(
                        "the URL of replica {number} has not the scheme of this database: {}. A replica is a server of \
                         the same kind",
                        schemes::<C::Backend>()
                    ),
                },
            })
        });
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        urls.iter().try_for_each(replica::check_tls::<C>)?;
        Ok(Self {
            limits: limits.clone(),
            max_lag,
            begun: Instant::now(),
            positions: Positions::new(max_lag),
            replicas: urls.into_iter().map(Replica::new::<C>).collect(),
            seen: BTreeSet::new(),
        })
    }

    /// Takes the connection for [`run`](Monitor::run), if it needs one. Take it before the workers empty the pool:
    /// without it, the workers would pause forever.
    pub(crate) fn connect<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Option<PrimaryConnection<C>> {
        self.max_lag.and_then(|_| pool.get_timeout(INTERVAL).ok())
    }

    /// Checks the limits until the other end of `ended` is dropped.
    pub(crate) fn run<C: TaskConnection>(
        mut self,
        mut conn: Option<PrimaryConnection<C>>,
        throttle: &Throttle,
        pool: &Pool<ConnectionManager<C>>,
        stop: &StopHandle,
        ended: &Receiver<()>,
    ) {
        loop {
            conn = conn.or_else(|| self.connect(pool));
            let reason = self.check::<C>(conn.as_deref_mut());
            if let Some(reason) = reason.as_ref().filter(|reason| reason.ends_the_run()) {
                tracing::warn!("stopping: {reason}");
                stop.stop();
            }
            if matches!(reason, Some(PauseReason::Unknown { replica: None, .. }))
                && conn.as_mut().is_some_and(|conn| conn.ping().is_err())
            {
                conn = None;
            }
            throttle.set_pause(reason);
            if ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// The first reason to pause, if there is one. `conn` is the connection to the primary, which answers one or two
    /// short questions at most.
    ///
    /// A failing connection is a reason to pause. The caller finds out whether it must be replaced.
    fn check<C: TaskConnection>(&mut self, conn: Option<&mut C>) -> Option<PauseReason> {
        self.time().or_else(|| self.pause_file()).or_else(|| self.lag(conn))
    }

    fn time(&self) -> Option<PauseReason> {
        let limit = self.limits.max_runtime?;
        (self.begun.elapsed() >= limit).then_some(PauseReason::TimeIsUp { limit })
    }

    fn pause_file(&self) -> Option<PauseReason> {
        let path = self.limits.pause_file.clone()?;
        match path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(PauseReason::PauseFile { path }),
            Err(error) => Some(PauseReason::PauseFileUnknown { path, reason: error.to_string() }),
        }
    }

    fn lag<C: TaskConnection>(&mut self, conn: Option<&mut C>) -> Option<PauseReason> {
        let max_lag = self.max_lag?;
        let unknown = |reason: String| Some(PauseReason::Unknown { replica: None, reason });
        let Some(conn) = conn else { return unknown("there is no connection to the primary".into()) };
        let primary = match C::Backend::primary(conn) {
            Ok(primary) => primary,
            Err(error) => return unknown(format!("the primary does not report it: {error}")),
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
                .find_map(|(at, standing)| self.positions.pause_reason(&standing, at, max_lag));
        }
        if known.is_empty() && self.seen.is_empty() {
            return unknown("no replica is connected to the primary".into());
        }
        if let Some(missing) = self.seen.iter().find(|name| known.iter().all(|standing| standing.name != **name)) {
            let reason = "it is not connected any more. If it is gone for good, run the task again".into();
            return Some(PauseReason::Unknown { replica: Some(missing.clone()), reason });
        }
        let is_replica = |standing: &&ReplicaState| matches!(standing.replay, Replay::At { .. });
        self.seen.extend(known.iter().filter(is_replica).map(|standing| standing.name.clone()));
        known.iter().find_map(|standing| self.positions.pause_reason(standing, now, max_lag))
    }
}

/// `postgres:// or postgresql://`
fn schemes<DB: Language>() -> String {
    DB::SCHEMES.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ")
}
