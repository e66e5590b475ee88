//! The heartbeat of a process: it renews the lease, and looks for requests of operators.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::database::{Session, StopHandle, TaskConnection};
use crate::reencrypt::report::TaskError;
use crate::reencrypt::report::progress::PAUSED;
use crate::reencrypt::run::{Asked, Store};
use crate::reencrypt::throttle::pause::PauseReason;
use crate::reencrypt::throttle::rate::Throttle;

/// How often a process looks for requests of operators.
const INTERVAL: Duration = Duration::from_secs(1);
/// The lease is renewed after this fraction of its time.
const RENEW: u32 = 4;
/// The time between two heartbeats while the process waits.
const NAP: Duration = Duration::from_millis(100);

/// The heartbeat of all workers of a process. When it is due, the first worker that comes does it for all.
pub(crate) struct Heartbeat<'a, C: TaskConnection> {
    pub(crate) store: &'a Store<'a, C>,
    pub(crate) throttle: &'a Throttle,
    pub(crate) stop: StopHandle,
    state: Mutex<State>,
}

struct State {
    looked: Option<Instant>,
    renewed: Option<Instant>,
    asked: Asked,
    is_idle: bool,
}

impl<'a, C: TaskConnection> Heartbeat<'a, C> {
    pub(crate) fn new(store: &'a Store<'a, C>, throttle: &'a Throttle, stop: StopHandle) -> Self {
        let state = State { looked: None, renewed: None, asked: Asked::Run, is_idle: false };
        Self { store, throttle, stop, state: Mutex::new(state) }
    }

    /// Returns when the worker may continue, or when it `is_over`: the task stops, or another worker failed.
    pub(crate) fn wait(&self, session: &mut Session<'_, C>, is_over: impl Fn() -> bool) -> Result<(), TaskError> {
        while !is_over() {
            self.beat(session)?;
            if self.request().is_none() && self.throttle.pause_reason().is_none() {
                return Ok(());
            }
            session.pause(NAP);
        }
        Ok(())
    }

    /// Looks for requests of operators, and renews the lease, if it is time for either.
    pub(crate) fn beat(&self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        let Some(lease) = self.store.lease() else { return Ok(()) };
        let renews = {
            let mut state = self.lock();
            if state.looked.is_some_and(|looked| looked.elapsed() < INTERVAL.min(lease / RENEW)) {
                return Ok(());
            }
            state.looked = Some(Instant::now());
            state.renewed.is_none_or(|renewed| renewed.elapsed() >= lease / RENEW)
        };
        let asked = if renews {
            let (asked, processes) = self.store.beat(session)?;
            self.throttle.set_share(processes);
            asked
        } else {
            self.store.asked(session)?
        };
        let mut state = self.lock();
        if renews {
            state.renewed = Some(Instant::now());
        }
        state.asked = asked;
        if asked == Asked::Stop {
            self.stop.stop();
        }
        Ok(())
    }

    /// Notes whether the process has nothing to do but wait for others.
    pub(crate) fn idle(&self, is_idle: bool) {
        self.lock().is_idle = is_idle;
    }

    /// Why this process does not continue, in words for the operator.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let idle = || "other processes hold the remaining ranges, until they finish or their lease ends".to_owned();
        self.request().or_else(|| self.throttle.waits_for()).or_else(|| self.lock().is_idle.then(idle))
    }

    /// Why the reading for the proof must not continue. The lag of replicas is no reason, because a reading does not
    /// add to it.
    pub(crate) fn pause_request(&self) -> Option<String> {
        let limit = || self.throttle.pause_reason().filter(PauseReason::is_requested).map(|reason| reason.to_string());
        self.request().or_else(limit)
    }

    /// The pause that an operator has asked for.
    fn request(&self) -> Option<String> {
        let is_paused = self.lock().asked == Asked::Pause;
        is_paused.then(|| PAUSED.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
