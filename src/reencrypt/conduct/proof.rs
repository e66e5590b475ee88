//! The proof: no open transaction can still write an old token, and a reading of everything on one snapshot finds none.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{DatabaseClock, Moment, Plan, Session, StopHandle, TaskConnection};
use crate::reencrypt::conduct::Fence;
use crate::reencrypt::report::{Doubt, TaskError};
use crate::reencrypt::run::state;
use crate::reencrypt::run::{Run, Scope, Store};
use crate::reencrypt::throttle::{Heartbeat, Limits, Throttle};
use crate::reencrypt::walk::workers::walk;
use crate::reencrypt::walk::{Counters, Found, Mode, Sessions, Settings, Shared};

/// The pause before everything is read again.
const NAP: Duration = Duration::from_millis(100);

/// The result of a reading of everything, at one moment.
pub(crate) struct Reading {
    pub(crate) moment: Moment,
    pub(crate) found: Found,
}

pub(crate) struct Prover<'a, C: TaskConnection> {
    pub(crate) settings: &'a Settings,
    pub(crate) pool: &'a Pool<ConnectionManager<C>>,
    pub(crate) plan: &'a Plan,
    pub(crate) stop: StopHandle,
}

impl<C: TaskConnection> Prover<'_, C> {
    /// Waits until every transaction that is open now has ended, because its writes are not visible yet. Returns a doubt
    /// if they do not end in time, or if the database does not show them.
    pub(crate) fn fence(
        &self,
        timeout: Duration,
        tick: impl FnMut(&mut Session<'_, C>, Option<String>),
    ) -> Result<Option<Doubt>, TaskError> {
        let mut fence = Fence::on(self.session());
        match fence.begin()? {
            None => fence.wait(timeout, tick),
            doubt => Ok(doubt),
        }
    }

    /// Reads everything on one snapshot. Starts again if the database fails.
    pub(crate) fn read(&self, counters: &Counters, mut tick: impl FnMut(Option<String>)) -> Result<Reading, TaskError> {
        let mut failing: Option<Instant> = None;
        loop {
            let begun = Instant::now();
            let rows = counters.rows_read.load(Relaxed);
            match self.try_read(counters, &mut tick) {
                Err(error) if error.is_database() && !self.stop.is_stopped() => {
                    // A long period of reading resets the time until the task gives up.
                    let has_read = counters.rows_read.load(Relaxed) > rows;
                    failing = failing.filter(|_| !has_read || begun.elapsed() < self.settings.give_up_after);
                    if failing.get_or_insert_with(Instant::now).elapsed() >= self.settings.give_up_after {
                        return Err(error);
                    }
                    tracing::warn!(%error, "reading everything again");
                    self.session().pause(NAP);
                }
                result => return result,
            }
        }
    }

    fn try_read(&self, counters: &Counters, tick: impl FnMut(Option<String>)) -> Result<Reading, TaskError> {
        let mut first = self.session();
        // The moment is before the snapshot, so that the snapshot holds everything committed by then.
        let moment = first.run(state::now)?;
        let snapshot = first.pin(self.plan.tables(), None)?;
        let mut sessions = vec![Sessions { reading: first, writing: None }];
        while let Some(snapshot) = snapshot.as_deref().filter(|_| sessions.len() < self.settings.workers) {
            let mut session = self.session();
            if !session.is_available() {
                break;
            }
            session.pin(self.plan.tables(), Some(snapshot))?;
            sessions.push(Sessions { reading: session, writing: None });
        }
        let keys = self.settings.keyring.fingerprints().len();
        let run = Run::new(Scope::default(), self.plan, keys, moment);
        let store = Store::memory(self.plan, run, sessions.len());
        let throttle = Throttle::new(&Limits::default(), self.stop.clone());
        let heartbeat = Heartbeat::new(&store, &throttle, self.stop.clone());
        let clock = DatabaseClock::new(moment);
        let shared = Shared::new(self.settings, self.plan, heartbeat, clock, Mode::Read, counters);
        let (found, result) = walk(shared, sessions, tick);
        result.map(|()| Reading { moment, found })
    }

    fn session(&self) -> Session<'_, C> {
        Session::new(self.pool, self.settings.give_up_after, self.stop.clone())
    }
}
