//! What every worker asks before it goes on: whether it may, and whether the others have heard of this process lately.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::database::connection::TaskConnection;
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::progress::PAUSED;
use crate::reencrypt::run::rules::Asked;
use crate::reencrypt::run::store::Store;
use crate::reencrypt::throttle::hold::Hold;
use crate::reencrypt::throttle::rate::Throttle;

/// How often a process looks at what operators have asked for.
const LOOK: Duration = Duration::from_secs(1);
/// Of the lease, after which it is renewed.
const RENEW: u32 = 4;
/// Between two looks while the process waits.
const NAP: Duration = Duration::from_millis(100);

/// One for all workers of a process. The worker that comes first when it is time does the asking.
pub(crate) struct Pulse<'a> {
    store: &'a Store<'a>,
    throttle: &'a Throttle,
    stop: StopHandle,
    state: Mutex<State>,
}

struct State {
    looked: Option<Instant>,
    renewed: Option<Instant>,
    asked: Asked,
    waits_for: Option<String>,
    is_idle: bool,
}

impl<'a> Pulse<'a> {
    pub(crate) fn new(store: &'a Store<'a>, throttle: &'a Throttle, stop: StopHandle) -> Self {
        let state = State { looked: None, renewed: None, asked: Asked::Run, waits_for: None, is_idle: false };
        Self { store, throttle, stop, state: Mutex::new(state) }
    }

    /// Returns when the worker may go on, or is to end: because of a stop, or because another worker failed and all
    /// `is_over`.
    pub(crate) fn wait<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        is_over: impl Fn() -> bool,
    ) -> Result<(), TaskError> {
        while !is_over() {
            self.look(session)?;
            if self.lock().waits_for.is_none() && self.throttle.hold().is_none() {
                return Ok(());
            }
            session.pause(NAP);
        }
        Ok(())
    }

    /// Looks at what is asked, and renews the lease, if it is time for either.
    pub(crate) fn look<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<(), TaskError> {
        let Some(lease) = self.store.lease() else { return Ok(()) };
        let renews = {
            let mut state = self.lock();
            if state.looked.is_some_and(|looked| looked.elapsed() < LOOK.min(lease / RENEW)) {
                return Ok(());
            }
            state.looked = Some(Instant::now());
            state.renewed.is_none_or(|renewed| renewed.elapsed() >= lease / RENEW)
        };
        let asked = match renews {
            true => {
                let (asked, processes) = self.store.beat(session)?;
                self.throttle.set_share(processes);
                asked
            }
            false => self.store.asked(session)?,
        };
        let mut state = self.lock();
        if renews {
            state.renewed = Some(Instant::now());
        }
        state.asked = asked;
        state.waits_for = (asked == Asked::Pause).then(|| PAUSED.to_owned());
        if asked == Asked::Stop {
            self.stop.stop();
        }
        Ok(())
    }

    /// For the operator, while there is nothing to do but to wait for others.
    pub(crate) fn idle(&self, is_idle: bool) {
        self.lock().is_idle = is_idle;
    }

    /// Why this process does not go on, in words for the operator.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let state = self.lock();
        let idle = || "other processes hold what is left, until they are done or their lease ends".to_owned();
        let waits_for = state.waits_for.clone().or_else(|| self.throttle.waiting());
        waits_for.or_else(|| state.is_idle.then(idle))
    }

    /// Why a reading of everything does not go on: it spares the database nothing to wait for replicas.
    pub(crate) fn is_paused(&self) -> Option<String> {
        let hold = self.throttle.hold().filter(Hold::is_a_pause).map(|hold| hold.to_string());
        self.lock().waits_for.clone().or(hold)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
