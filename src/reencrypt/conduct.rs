//! What one process does for a run, from its first walk to the proof.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use super::clock::DatabaseClock;
use super::dialect::Dialect;
use super::error::TaskError;
use super::progress::Observer;
use super::proof::{Prover, Reading};
use super::pulse::Pulse;
use super::report::{ColumnReport, Doubt, Ending, Outcome, Proof, Report};
use super::run::{self, ClaimNumber, LEFT, Run, Scope, Step};
use super::session::Session;
use super::settings::Settings;
use super::shared::{Counters, Found, Mode, Walker};
use super::state;
use super::store::Store;
use super::table::PlannedTable;
use super::tally::Tally;
use super::walk::{Sessions, walk};
use super::watch::Watch;

/// Seconds by which the clock of an application may be ahead of the database's before its tokens seem to come from
/// after the beginning of the run.
const CLOCKS: u64 = 2;
/// Between two looks at what another process is doing.
const NAP: Duration = Duration::from_millis(200);

/// The work of one process.
pub(super) struct Conductor<'a, 'o, C>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    settings: &'a Settings,
    pool: &'a Pool<ConnectionManager<C>>,
    tables: &'a [PlannedTable],
    watch: Watch<'a, 'o>,
    counters: Counters,
    /// What this process has come across.
    found: Found,
    /// Whether it was this process that read everything at the end.
    has_proven: bool,
}

impl<'a, 'o, C> Conductor<'a, 'o, C>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    pub(super) fn new(
        settings: &'a Settings,
        pool: &'a Pool<ConnectionManager<C>>,
        tables: &'a [PlannedTable],
        observer: &'a mut Observer<'o>,
    ) -> Self {
        let found = Found::new(tables, settings.keyring.fingerprints().len());
        let watch = Watch::new(tables, observer);
        Self { settings, pool, tables, watch, counters: Counters::default(), found, has_proven: false }
    }

    /// Reads everything, after all that is open now is over if it `waits`.
    pub(super) fn read(mut self, waits: bool) -> Result<(Reading, Option<Doubt>), TaskError> {
        let prover = self.prover();
        let timeout = self.settings.fence_timeout;
        let mut show = |waits_for| self.watch.show(&self.counters, waits_for);
        let doubt = if waits { prover.fence(timeout, |_, waits_for| show(waits_for))? } else { None };
        Ok((prover.read(&self.counters, show)?, doubt))
    }

    /// Does everything but write, in one walk.
    pub(super) fn rehearse(mut self) -> Result<Report, TaskError> {
        let store = self.memory(&mut self.session())?;
        if let Err(error) = self.walk(&store, Mode::DryRun) {
            return Err(error.with_report(self.unfinished(Outcome::Failed)));
        }
        let is_done = self.found.tallies.iter().all(|tally| tally.stale() == 0);
        Ok(match () {
            () if self.settings.stop.is_stopped() => self.unfinished(Outcome::Stopped),
            () if is_done => self.unfinished(Outcome::Proven),
            () => self.unfinished(Outcome::Incomplete),
        })
    }

    /// Takes part in the run until it has ended.
    pub(super) fn run(mut self) -> Result<Report, TaskError> {
        let store = self.store()?;
        let result = self.follow(&store);
        let mut session = self.session();
        if result.is_err() {
            session.hurry();
        }
        if let Err(error) = store.leave(&mut session) {
            tracing::warn!(%error, "the others learn only from the end of the lease that this process is gone");
        }
        match result {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Ok(self.unfinished(Outcome::Stopped)),
            Err(error) if error.is_refused() => Err(error),
            Err(error) => Err(error.with_report(self.unfinished(Outcome::Failed))),
        }
    }

    /// Does what the run asks for, step by step; `None` if it was stopped.
    fn follow(&mut self, store: &Store<'_>) -> Result<Option<Report>, TaskError> {
        let pulse = Pulse::new(store, self.settings.stop.clone());
        while !self.settings.stop.is_stopped() {
            let step = store.step(&mut self.session())?;
            match step {
                Step::Walk => self.walk(store, Mode::Write)?,
                Step::Prove(claim) => self.prove(store, claim)?,
                Step::Wait => {
                    self.watch.show(&self.counters, Some("another process reads everything, for the proof".into()));
                    let mut session = self.session();
                    pulse.look(&mut session)?;
                    session.pause(NAP);
                }
                Step::Ended(ending) => return self.finished(store, ending).map(Some),
            }
        }
        Ok(None)
    }

    fn walk(&mut self, store: &Store<'_>, mode: Mode) -> Result<(), TaskError> {
        let clock = DatabaseClock::new(self.session().run(state::now)?);
        let sessions = self.sessions()?;
        let Settings { keyring, batch, stop, .. } = self.settings;
        let (keyring, batch, stop) = (Arc::clone(keyring), *batch, stop.clone());
        let walker = Walker { tables: self.tables, keyring, store, batch, clock, stop };
        let tick = |waits_for| self.watch.show(&self.counters, waits_for);
        let (found, result) = walk(&walker, sessions, mode, &self.counters, tick);
        self.found.add(found);
        result
    }

    /// Reads everything, and tells the run what that comes to.
    fn prove(&mut self, store: &Store<'_>, claim: ClaimNumber) -> Result<(), TaskError> {
        let pulse = Pulse::new(store, self.settings.stop.clone());
        self.counters.rows.store(0, Relaxed);
        let prover = self.prover();
        let doubt = prover.fence(self.settings.fence_timeout, |session, waits_for| {
            tell(&pulse, session);
            self.watch.show(&self.counters, waits_for);
        })?;
        let mut control = None;
        let (pool, settings) = (self.pool, self.settings);
        let Reading { moment, found } = prover.read(&self.counters, |waits_for| {
            control = control.take().or_else(|| spare(pool, settings));
            if let Some(session) = &mut control {
                tell(&pulse, session);
            }
            self.watch.show(&self.counters, waits_for);
        })?;
        drop(control);
        if self.settings.stop.is_stopped() {
            return Ok(());
        }
        let left: u64 = found.tallies.iter().map(Tally::stale).sum();
        let newest = found.tallies.iter().filter_map(|tally| tally.newest_stale).max();
        let mut problems = found.problems;
        problems.extend(found.stale);
        let mut session = self.session();
        store.record_all(&mut session, problems.listed())?;
        let is_everywhere = found.stale_ranges.is_empty() || found.stale_ranges.len() > LEFT;
        let ranges = if is_everywhere { run::whole(self.tables.len()) } else { found.stale_ranges };
        store.update(&mut session, |run, _, _| {
            let newest = run.newest_stale().max(newest).filter(|date| *date > run.started / 1000 + CLOCKS);
            let doubt = match newest {
                Some(date) => Some(Doubt::OldPrimary(date)),
                None if left > 0 => Some(Doubt::Left(left)),
                None => doubt.clone(),
            };
            let walks_again = matches!(doubt, Some(Doubt::Left(_))) && run.may_walk_again();
            let ending = Ending { proof: Proof { moment }, doubt, tallies: found.tallies.clone() };
            run.proven(claim, if walks_again { Err(ranges.clone()) } else { Ok(ending) });
            Ok(())
        })?;
        self.found.problems = problems;
        self.has_proven = true;
        Ok(())
    }

    /// The report on a run that has ended, for all of its processes.
    fn finished(&mut self, store: &Store<'_>, ending: Ending) -> Result<Report, TaskError> {
        let mut session = self.session();
        let ended = |run: &mut Run| (run.columns(self.tables, Some(&ending.tallies)), run.pass);
        let (columns, passes) = store.update(&mut session, |run, _, _| Ok(ended(run)))?;
        let problems = match self.has_proven {
            true => std::mem::take(&mut self.found.problems),
            // Another process has read everything, and has written down what it found.
            false => store.recorded(&mut session)?,
        };
        Ok(Report {
            outcome: if ending.doubt.is_none() { Outcome::Proven } else { Outcome::Incomplete },
            primary: self.settings.keyring.primary(),
            passes,
            columns,
            problems: problems.sorted(),
            proof: Some(ending.proof),
            doubt: ending.doubt,
        })
    }

    /// The report on what this process did before it ended.
    fn unfinished(&mut self, outcome: Outcome) -> Report {
        let Found { tallies, written, problems, .. } = &mut self.found;
        let busy: Vec<u64> = written.iter().map(|written| written.busy).collect();
        Report {
            outcome,
            primary: self.settings.keyring.primary(),
            passes: self.counters.pass.load(Relaxed),
            columns: ColumnReport::all(self.tables, tallies, written, &busy),
            problems: std::mem::take(problems).sorted(),
            proof: None,
            doubt: None,
        }
    }

    fn prover(&self) -> Prover<'a, C> {
        Prover { settings: self.settings, pool: self.pool, tables: self.tables }
    }

    /// The connections of the workers: one each as far as they go, which is one at least, then a second each.
    fn sessions(&self) -> Result<Vec<Sessions<'a, C>>, TaskError> {
        // Taken before the work begins: the application may hold the others.
        let mut first = self.session();
        first.run(|_| Ok(()))?;
        let mut sessions = vec![Sessions { reading: first, writing: None }];
        let another = || spare(self.pool, self.settings);
        while sessions.len() < self.settings.workers {
            let Some(reading) = another() else { return Ok(sessions) };
            sessions.push(Sessions { reading, writing: None });
        }
        for worker in &mut sessions {
            worker.writing = another();
        }
        Ok(sessions)
    }

    /// Where the run is kept, this process being part of it.
    fn store(&self) -> Result<Store<'a>, TaskError> {
        let mut session = self.session();
        if self.settings.stateless || !Store::prepare(&mut session)? {
            return self.memory(&mut session);
        }
        let scope = self.scope();
        Store::join(&mut session, self.tables, &scope, process_name(), self.settings.lease)
    }

    fn memory(&self, session: &mut Session<'_, C>) -> Result<Store<'a>, TaskError> {
        let (scope, now) = (self.scope(), session.run(state::now)?);
        let keys = scope.keys.len();
        Ok(Store::memory(self.tables, Run::new(scope, self.tables, keys, now), self.settings.workers))
    }

    fn scope(&self) -> Scope {
        let keys = self.settings.keyring.fingerprints().map(|fingerprint| fingerprint.to_string());
        Scope { keys: keys.collect(), targets: self.tables.iter().map(PlannedTable::describe).collect() }
    }

    fn session(&self) -> Session<'a, C> {
        Session::new(self.pool, self.settings.give_up_after, self.settings.stop.clone())
    }
}

/// A connection that nobody else needs, if there is one.
fn spare<'a, C>(pool: &'a Pool<ConnectionManager<C>>, settings: &Settings) -> Option<Session<'a, C>>
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    let state = pool.state();
    let may_be_had = state.idle_connections > 0 || state.connections < pool.max_size();
    let mut session = Session::new(pool, settings.give_up_after, settings.stop.clone());
    (may_be_had && session.is_available()).then_some(session)
}

/// Lets the other processes know that this one is alive.
fn tell<C>(pulse: &Pulse<'_>, session: &mut Session<'_, C>)
where
    C: R2D2Connection + LoadConnection + 'static,
    C::Backend: Dialect,
{
    if let Err(error) = pulse.look(session) {
        tracing::warn!(%error, "the other processes do not hear of this one");
    }
}

/// `host:process-random`: on two machines, or in two containers, the number alone may be the same.
fn process_name() -> String {
    let mut random = [0; 4];
    // Without it the name is nearly as good.
    let _ = getrandom::getrandom(&mut random);
    let host = gethostname::gethostname();
    format!("{}:{}-{:08x}", host.to_string_lossy(), std::process::id(), u32::from_be_bytes(random))
}
