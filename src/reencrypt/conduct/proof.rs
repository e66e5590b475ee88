//! The proof: no transaction is open that could still bring an old token, and a whole reading of one snapshot finds none.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::clock::DatabaseClock;
use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::database::moment::Moment;
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::database::table::PlannedTable;
use crate::reencrypt::conduct::settings::Settings;
use crate::reencrypt::report::doubt::Doubt;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::run::rules::{Run, Scope};
use crate::reencrypt::run::state;
use crate::reencrypt::run::store::Store;
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::throttle::rate::Throttle;
use crate::reencrypt::walk::shared::{Counters, Found, Mode, Walker};
use crate::reencrypt::walk::workers::{Sessions, walk};

/// Between two looks at what is still open; longer from look to look.
const NAP: Duration = Duration::from_millis(100);
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// All values, as they were at one moment.
pub(crate) struct Reading {
    pub(crate) moment: Moment,
    pub(crate) found: Found,
}

/// What it takes to read everything on one snapshot.
pub(crate) struct Prover<'a, C: TaskConnection> {
    pub(crate) settings: &'a Settings,
    pub(crate) pool: &'a Pool<ConnectionManager<C>>,
    pub(crate) tables: &'a [PlannedTable],
    pub(crate) stop: StopHandle,
}

impl<C: TaskConnection> Prover<'_, C> {
    /// Waits until every transaction is over that is open now: what it has written is not yet to be seen. Returns why
    /// that could not be found out.
    pub(crate) fn fence(
        &self,
        timeout: Duration,
        mut tick: impl FnMut(&mut Session<'_, C>, Option<String>),
    ) -> Result<Option<Doubt>, TaskError> {
        let mut session = self.session();
        let started = Instant::now();
        for _ in 0..C::Backend::FENCES {
            let fence = match session.once(C::Backend::fence)? {
                Ok(fence) => fence,
                Err(_) if !session.is_connected() => session.run(C::Backend::fence)?,
                Err(error) => return Ok(Some(Doubt::Blind(error.to_string()))),
            };
            let mut nap = NAP;
            loop {
                let older = session.run(|conn| C::Backend::older_than(conn, &fence))?;
                if older.is_empty() {
                    break;
                }
                if started.elapsed() > timeout || session.is_stopped() {
                    return Ok(Some(Doubt::Open(older)));
                }
                let waits_for = format!("transactions that began before the proof are open: {}", older.join("; "));
                tick(&mut session, Some(waits_for));
                session.pause(nap);
                nap = (nap * 3 / 2).min(LONGEST_NAP);
            }
        }
        Ok(None)
    }

    /// Reads everything on one snapshot. If the database fails, from the start.
    pub(crate) fn read(&self, counters: &Counters, mut tick: impl FnMut(Option<String>)) -> Result<Reading, TaskError> {
        let mut failing: Option<Instant> = None;
        loop {
            let (begun, rows) = (Instant::now(), counters.rows_read.load(Relaxed));
            match self.try_read(counters, &mut tick) {
                Err(error) if error.is_database() && !self.stop.is_stopped() => {
                    // A failure after a long time of reading is a new one.
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
        // Before the snapshot: nothing that was committed by then is missing, however long this takes.
        let moment = first.run(state::now)?;
        let shared = first.pin(self.tables, None)?;
        let mut sessions = vec![Sessions { reading: first, writing: None }];
        while let Some(shared) = shared.as_deref().filter(|_| sessions.len() < self.settings.workers) {
            let mut session = self.session();
            if !session.is_available() {
                break;
            }
            session.pin(self.tables, Some(shared))?;
            sessions.push(Sessions { reading: session, writing: None });
        }
        let keys = self.settings.keyring.fingerprints().len();
        let run = Run::new(Scope::default(), self.tables, keys, moment);
        let store = Store::memory(self.tables, run, sessions.len());
        let throttle = Throttle::new(&Limits::default(), self.stop.clone());
        let walker = Walker {
            tables: self.tables,
            job: self.settings.job,
            keyring: Arc::clone(&self.settings.keyring),
            store: &store,
            throttle: &throttle,
            batch: self.settings.batch,
            clock: DatabaseClock::new(moment),
            stop: self.stop.clone(),
        };
        let (found, result) = walk(&walker, sessions, Mode::Read, counters, tick);
        result.map(|()| Reading { moment, found })
    }

    fn session(&self) -> Session<'_, C> {
        Session::new(self.pool, self.settings.give_up_after, self.stop.clone())
    }
}
