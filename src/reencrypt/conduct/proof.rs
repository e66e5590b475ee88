//! The proof: no open transaction can still write an old token, and a reading of everything on one snapshot finds none.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{DatabaseClock, Failure, Moment, Plan, Session, Snapshots, StopHandle, TaskConnection};
use crate::reencrypt::conduct::planning;
use crate::reencrypt::conduct::{Fence, Nodes, Watch};
use crate::reencrypt::report::{Doubt, Tally, TaskError};
use crate::reencrypt::run::state;
use crate::reencrypt::run::{Run, Scope, Store};
use crate::reencrypt::throttle::{Heartbeat, Limits, Throttle};
use crate::reencrypt::walk::workers::{TICK, join, walk};
use crate::reencrypt::walk::{Counters, Found, Mode, Sessions, Settings, Shared};

/// The pause before everything is read again.
const NAP: Duration = Duration::from_millis(100);

/// The result of a reading of everything, at one moment.
pub(crate) struct Reading {
    pub(crate) moment: Moment,
    pub(crate) found: Found,
    /// Why the reading may have missed something.
    pub(crate) doubt: Option<Doubt>,
}

pub(crate) struct Prover<'a, C: TaskConnection> {
    pub(crate) settings: &'a Settings,
    pub(crate) pool: &'a Pool<ConnectionManager<C>>,
    pub(crate) plan: &'a Plan,
    pub(crate) nodes: &'a Nodes<C>,
    pub(crate) stop: StopHandle,
}

impl<'a, C: TaskConnection> Prover<'a, C> {
    /// Watches the servers on which a proof rests.
    pub(crate) fn watch(&self) -> Watch<'a, C> {
        let nodes = self.nodes.iter().map(|node| (node, node.session(self.settings, &self.stop)));
        Watch::new(self.session(), &self.settings.anchor, nodes.collect(), self.plan.tables())
    }

    /// Reads everything, for a report that is no proof. Returns a doubt if the server follows another one.
    pub(crate) fn look(&self, counters: &Counters, tick: impl FnMut(Option<String>)) -> Result<Reading, TaskError> {
        let seen = self.watch().begin()?.filter(|doubt| matches!(doubt, Doubt::NotPrimary(_)));
        let reading = self.read(counters, tick)?;
        Ok(Reading { doubt: reading.doubt.or(seen), ..reading })
    }

    /// Proves what a reading of everything finds: on servers that show all that can write, behind their transactions.
    ///
    /// `tick` gets a session while nothing is read.
    pub(crate) fn prove(
        &self,
        counters: &Counters,
        mut tick: impl FnMut(Option<&mut Session<'_, C>>, Option<String>),
    ) -> Result<Reading, TaskError> {
        let mut watch = self.watch();
        if let Some(doubt) = watch.begin()? {
            // It makes no sense to wait for the transactions that are visible.
            let reading = self.read(counters, |waits_for| tick(None, waits_for))?;
            return Ok(Reading { doubt: Some(doubt), ..reading });
        }
        let mut reading = self.read_behind_fences(counters, &mut tick)?;
        if reading.doubt.is_none() && !self.stop.is_stopped() {
            reading.doubt = watch.end()?;
        }
        Ok(reading)
    }

    /// Reads everything, and makes sure that every transaction that began before has ended and brought nothing back.
    ///
    /// First it waits for the transactions that are open: their writes are not visible yet. But a transaction may begin
    /// during that wait, read an old token, and write it after the reading, although another process has replaced the
    /// token in between. Such a transaction is open when the reading begins. So if the reading finds nothing left, the
    /// prover waits for the transactions that are open then, and reads again what they wrote. A transaction that began
    /// after the first reading can meet an old token only if one of these has brought it back.
    ///
    /// A node of a cluster may be behind the others. So the fence on a node begins when the node has what the others had
    /// committed before: what begins there later reads no older state.
    fn read_behind_fences(
        &self,
        counters: &Counters,
        tick: &mut impl FnMut(Option<&mut Session<'_, C>>, Option<String>),
    ) -> Result<Reading, TaskError> {
        let job = self.settings.job;
        let open = self.fence(tick)?;
        let mut reading = self.read(counters, |waits_for| tick(None, waits_for))?;
        let is_left = |reading: &Reading| Doubt::left(job, &reading.found.tallies).is_some();
        reading.doubt = reading.doubt.or(open);
        if !C::Backend::OUTLIVES_SNAPSHOTS || is_left(&reading) || reading.doubt.is_some() || self.stop.is_stopped() {
            return Ok(reading);
        }
        reading.doubt = self.fence(tick)?;
        if reading.doubt.is_some() {
            return Ok(reading);
        }
        counters.prove(true);
        let again = self.read(counters, |waits_for| tick(None, waits_for))?;
        if is_left(&again) || again.doubt.is_some() || self.stop.is_stopped() {
            return Ok(again);
        }
        // The proof is of the first reading: what began before that one has ended.
        if again.found.problems.count() > reading.found.problems.count() {
            reading.found = again.found;
        }
        Ok(reading)
    }

    /// Waits until every transaction that is open now has ended. Returns a doubt if they do not end in time, or if the
    /// database does not show them.
    fn fence(
        &self,
        tick: &mut impl FnMut(Option<&mut Session<'_, C>>, Option<String>),
    ) -> Result<Option<Doubt>, TaskError> {
        let mut fence = self.nodes.iter().fold(Fence::on(self.session()), |fence, node| {
            fence.and(node.name().to_owned(), node.session(self.settings, &self.stop))
        });
        match fence.begin()? {
            None => fence.wait(self.settings.fence_timeout, |session, waits_for| tick(Some(session), waits_for)),
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

    fn try_read(&self, counters: &Counters, mut tick: impl FnMut(Option<String>)) -> Result<Reading, TaskError> {
        let mut first = self.session();
        // The moment is before the snapshot, so that the snapshot holds everything committed by then.
        let moment = first.run(state::now)?;
        let snapshot = first.pin(self.plan.tables(), None)?;
        let keys = self.settings.keyring.fingerprints().len();
        // The tables are locked now. If one is not as it was planned, the plan cannot read it.
        if let Some(table) = planning::changed(&mut first, self.plan)? {
            let doubt = Some(Doubt::Changed(table.to_string()));
            return Ok(Reading { moment, found: Found::new(self.plan, keys), doubt });
        }
        let counted = ticking(|| self.count(&mut first), || tick(None))?;
        let mut sessions = vec![Sessions { reading: first, writing: None }];
        while let Some(snapshot) = snapshot.as_deref().filter(|_| sessions.len() < self.settings.workers) {
            let mut session = self.session();
            if !session.is_available() {
                break;
            }
            session.pin(self.plan.tables(), Some(snapshot))?;
            sessions.push(Sessions { reading: session, writing: None });
        }
        let run = Run::new(Scope::default(), self.plan, keys, moment);
        let store = Store::memory(self.plan, run, sessions.len());
        let throttle = Throttle::new(&Limits::default(), self.stop.clone());
        let heartbeat = Heartbeat::new(&store, &throttle, self.stop.clone());
        let clock = DatabaseClock::new(moment);
        let shared = Shared::new(self.settings, self.plan, heartbeat, clock, Mode::Read, counters);
        let (found, result) = walk(shared, sessions, tick);
        result?;
        let doubt = if self.stop.is_stopped() { None } else { self.miscounted(&counted, &found) };
        Ok(Reading { moment, found, doubt })
    }

    /// The rows of each table in the snapshot. This guard prevents the loss of rows that the walk does not reach, for
    /// whatever reason: their values would need a key that is thrown away.
    fn count(&self, session: &mut Session<'_, C>) -> Result<Vec<u64>, Failure> {
        self.plan.tables().iter().map(|table| session.run(|conn| C::Backend::count(conn, table))).collect()
    }

    fn miscounted(&self, counted: &[u64], found: &Found) -> Option<Doubt> {
        counted.iter().zip(self.plan.tables()).enumerate().find_map(|(position, (&counted, table))| {
            let read = found.tallies.get(self.plan.offset(position)).map_or(0, Tally::rows);
            (counted != read).then(|| Doubt::Miscounted { table: table.name.to_string(), counted, read })
        })
    }

    fn session(&self) -> Session<'a, C> {
        Session::new(self.pool, self.settings.give_up_after, self.stop.clone()).at(&self.settings.anchor)
    }
}

/// Runs `work` on another thread, and calls `tick` on this one until it is done.
fn ticking<T: Send>(work: impl FnOnce() -> T + Send, mut tick: impl FnMut()) -> T {
    thread::scope(|scope| {
        let (alive, ended) = channel::<()>();
        let thread = scope.spawn(move || {
            let value = work();
            drop(alive);
            value
        });
        while ended.recv_timeout(TICK) != Err(RecvTimeoutError::Disconnected) {
            tick();
        }
        join(thread)
    })
}
