//! Conducts one process of a run, from its first pass to the proof.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::clock::CLOCKS;
use crate::database::{DatabaseClock, Plan, PlannedTable, Session, StopHandle, TaskConnection};
use crate::reencrypt::conduct::Nodes;
use crate::reencrypt::conduct::progress::ProgressReporter;
use crate::reencrypt::conduct::proof::{Prover, Reading};
use crate::reencrypt::report::time;
use crate::reencrypt::report::{
    ColumnReport, Doubt, Ending, Observer, Outcome, Proof, Refusal, Report, Tally, TaskError,
};
use crate::reencrypt::run::claim::{LEFT, whole};
use crate::reencrypt::run::signature;
use crate::reencrypt::run::state;
use crate::reencrypt::run::{ClaimNumber, Run, Scope, Step, Store, Tables};
use crate::reencrypt::throttle::{Heartbeat, Limits, Monitor, Throttle};
use crate::reencrypt::walk::sessions::spare;
use crate::reencrypt::walk::workers::walk;
use crate::reencrypt::walk::{Counters, Found, Mode, Sessions, Settings, Shared};

/// The time between two checks of the run while another process reads for the proof.
const NAP: Duration = Duration::from_millis(200);

/// The work of one process.
pub(crate) struct Conductor<'a, 'o, C: TaskConnection> {
    settings: &'a Settings,
    pool: &'a Pool<ConnectionManager<C>>,
    plan: &'a Plan,
    nodes: &'a Nodes<C>,
    progress: ProgressReporter<'a, 'o>,
    counters: Counters,
    found: Found,
    begun: Instant,
    /// Whether the reading of this process ended the run. If so, `found` has the problems of that reading.
    has_proven: bool,
}

impl<'a, 'o, C: TaskConnection> Conductor<'a, 'o, C> {
    pub(crate) fn new(
        settings: &'a Settings,
        pool: &'a Pool<ConnectionManager<C>>,
        plan: &'a Plan,
        nodes: &'a Nodes<C>,
        observer: &'a mut Observer<'o>,
    ) -> Self {
        Self {
            settings,
            pool,
            plan,
            nodes,
            progress: ProgressReporter::new(plan, observer),
            counters: Counters::new(plan.tables().len()),
            found: Found::new(plan, settings.keyring.fingerprints().len()),
            begun: Instant::now(),
            has_proven: false,
        }
    }

    /// Reads everything. If `waits` is true, makes sure that no open transaction can bring back what was not read.
    pub(crate) fn read(mut self, waits: bool) -> Result<Reading, TaskError> {
        let prover = self.prover(self.settings.stop.clone());
        let mut report = |waits_for| self.progress.report(&self.counters, waits_for);
        if waits {
            prover.prove(&self.counters, |_, waits_for| report(waits_for))
        } else {
            prover.look(&self.counters, report)
        }
    }

    /// Does everything except writing, in one pass.
    pub(crate) fn rehearse(mut self) -> Result<Report, TaskError> {
        let store = self.memory(&mut self.session())?;
        let throttle = Throttle::new(&Limits::default(), self.settings.stop.clone());
        if let Err(error) = self.walk(&store, &throttle, Mode::DryRun) {
            return Err(error.with_report(self.unfinished(Outcome::Failed)));
        }
        let is_stopped = self.settings.stop.is_stopped();
        Ok(self.unfinished(if is_stopped { Outcome::Stopped } else { Outcome::Incomplete }))
    }

    /// Takes part in the run until it has ended.
    pub(crate) fn run(mut self) -> Result<Report, TaskError> {
        let Settings { limits, stop, .. } = self.settings;
        let monitor = limits.need_a_monitor().then(|| Monitor::new::<C>(limits)).transpose()?;
        let primary = self.settings.keyring.primary();
        let span =
            tracing::info_span!("reencrypt", job = %self.settings.job, %primary, process = tracing::field::Empty);
        let _entered = span.enter();
        // Only the proof needs these servers. But the operator should not wait for it to learn what is missing.
        if let Some(doubt) = self.prover(stop.clone()).watch().begin()? {
            tracing::warn!("the task will prove nothing if this does not change: {doubt}");
        }
        let mut store = self.store()?;
        if let Some(process) = store.process() {
            span.record("process", process);
        }
        let throttle = Throttle::new(limits, stop.clone());
        let pool = self.pool;
        let result = thread::scope(|scope| {
            let (_alive, ended) = mpsc::channel();
            if let Some(monitor) = monitor {
                let throttle = &throttle;
                let span = span.clone();
                let conn = monitor.connect(pool);
                scope.spawn(move || span.in_scope(|| monitor.run(conn, throttle, pool, stop, &ended)));
            }
            self.follow(&mut store, &throttle)
        });
        let mut session = self.session();
        if result.is_err() {
            session.hurry();
        }
        if let Err(error) = store.leave(&mut session) {
            tracing::warn!(%error, "this process could not leave the run: the others continue its work when its lease ends");
        }
        match result {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Ok(self.unfinished(Outcome::Stopped)),
            Err(error) => Err(error.with_report(self.unfinished(Outcome::Failed))),
        }
    }

    /// Takes the steps of the run, one by one. Returns `None` if the process was stopped.
    fn follow(&mut self, store: &mut Store<'a, C>, throttle: &Throttle) -> Result<Option<Report>, TaskError> {
        while !self.settings.stop.is_stopped() {
            let (step, run) = store.step(&mut self.session())?;
            // The reading of this process may have led to another pass, or another run may have followed.
            self.has_proven &= matches!(step, Step::Ended(_));
            match step {
                Step::Walk => {
                    self.progress.begin_after(run.rows_read(self.plan));
                    self.walk(store, throttle, Mode::Write)?;
                }
                Step::Prove(claim) => self.prove(store, throttle, claim)?,
                Step::Wait => self.wait(store, throttle)?,
                Step::Ended(ending) => return self.finished(store, &run, ending).map(Some),
                Step::Rejoin => *store = self.store()?,
            }
        }
        Ok(None)
    }

    fn walk(&mut self, store: &Store<'_, C>, throttle: &Throttle, mode: Mode) -> Result<(), TaskError> {
        let clock = DatabaseClock::new(self.session().run(state::now)?);
        let sessions = Sessions::open(self.pool, self.settings)?;
        let heartbeat = Heartbeat::new(store, throttle, self.settings.stop.clone());
        let shared = Shared::new(self.settings, self.plan, heartbeat, clock, mode, &self.counters);
        let (found, result) = walk(shared, sessions, |waits_for| self.progress.report(&self.counters, waits_for));
        self.found.add(found);
        let Counters { pass, rows_read, rewritten, .. } = &self.counters;
        tracing::info!(?pass, rows = ?rows_read, ?rewritten, "pass ended");
        result
    }

    /// Reads everything for the proof, and records the result in the run.
    fn prove(&mut self, store: &Store<'_, C>, throttle: &Throttle, claim: ClaimNumber) -> Result<(), TaskError> {
        let heartbeat = Heartbeat::new(store, throttle, self.settings.stop.clone());
        self.progress.begin_after(0);
        // A pause ends the reading. Otherwise the database would keep the old version of every row that changes
        // meanwhile.
        let Reading { moment, found, doubt } = loop {
            self.pause(&heartbeat)?;
            let halt = StopHandle::default();
            self.counters.prove(true);
            let result = self.read_all(&heartbeat, &halt);
            self.counters.prove(false);
            if self.settings.stop.is_stopped() {
                return Ok(());
            }
            if !halt.is_stopped() {
                break result?;
            }
        };
        let job = self.settings.job;
        let left = Doubt::left(job, &found.tallies);
        let newest = found.tallies.iter().filter_map(|tally| tally.newest_stale).max();
        let mut problems = found.problems;
        problems.extend(found.stale);
        let mut session = self.session();
        let values: u64 = found.tallies.iter().map(Tally::values).sum();
        let omitted = problems.omitted();
        let is_everywhere = found.stale_ranges.is_empty() || found.stale_ranges.len() > LEFT;
        let ranges = if is_everywhere { whole(self.plan.tables().len()) } else { found.stale_ranges };
        self.has_proven = store.update(&mut session, |run, _, conn| {
            let newest = run.newest_stale.max(newest).filter(|date| *date > run.started / 1000 + CLOCKS);
            let doubt = match newest {
                Some(date) => Some(Doubt::written_later(job, date)),
                None => left.clone().or_else(|| doubt.clone()),
            };
            let walks_again = doubt.as_ref().is_some_and(Doubt::is_left) && run.may_walk_again();
            let proof = Proof { moment: time::of_moment(moment), values };
            let listed = problems.listed().len() as u64;
            let ending =
                Ending { proof, doubt, tallies: found.tallies.clone(), listed, omitted, signature: String::new() };
            let ending = signature::signed(ending, &self.settings.keyring, &run.scope)?;
            let is_accepted = run.proven(claim, if walks_again { Err(ranges.clone()) } else { Ok(ending) });
            if is_accepted {
                store.replace_problems(conn, problems.listed())?;
            }
            Ok(is_accepted && !walks_again)
        })?;
        let left: u64 = found.tallies.iter().map(|tally| tally.left(job)).sum();
        tracing::info!(values, left, "everything was read for the proof");
        self.found.problems = problems;
        Ok(())
    }

    /// Waits while another process reads everything for the proof.
    fn wait(&mut self, store: &Store<'_, C>, throttle: &Throttle) -> Result<(), TaskError> {
        let mut session = self.session();
        let heartbeat = Heartbeat::new(store, throttle, self.settings.stop.clone());
        while !session.is_stopped() && matches!(store.step(&mut session)?.0, Step::Wait) {
            self.progress.report(&self.counters, Some("another process reads everything for the proof".into()));
            heartbeat.beat(&mut session)?;
            session.pause(NAP);
        }
        Ok(())
    }

    /// Waits while an operator pauses the task.
    fn pause(&mut self, heartbeat: &Heartbeat<'_, C>) -> Result<(), TaskError> {
        let mut session = self.session();
        heartbeat.beat(&mut session)?;
        while let Some(reason) = heartbeat.pause_request().filter(|_| !session.is_stopped()) {
            self.progress.report(&self.counters, Some(reason));
            session.pause(NAP);
            heartbeat.beat(&mut session)?;
        }
        Ok(())
    }

    /// Reads everything for the proof. Stops `halt` if a stop or a pause ends the reading.
    fn read_all(&mut self, heartbeat: &Heartbeat<'_, C>, halt: &StopHandle) -> Result<Reading, TaskError> {
        let pool = self.pool;
        let settings = self.settings;
        let prover = self.prover(halt.clone());
        let beat = |session: Option<&mut Session<'_, C>>| {
            if let Some(Err(error)) = session.map(|session| heartbeat.beat(session)) {
                tracing::warn!(%error, "the heartbeat failed: the other processes may take this one for dead");
            }
            if settings.stop.is_stopped() || heartbeat.pause_request().is_some() {
                halt.stop();
            }
        };
        // Take this connection before the readers empty the pool, but leave one for the first reader.
        let mut control = spare(pool, settings).filter(|_| spare(pool, settings).is_some());
        prover.prove(&self.counters, |session, waits_for| {
            match (session, &mut control) {
                (Some(session), _) => beat(Some(session)),
                (None, Some(control)) => beat(Some(control)),
                // The next step of the proof needs the connections, so this one goes back at once.
                (None, None) => beat(spare(pool, settings).as_mut()),
            }
            self.progress.report(&self.counters, waits_for);
        })
    }

    /// The report on a run that has ended. All processes of the run return the same report.
    fn finished(&mut self, store: &Store<'_, C>, run: &Run, ending: Ending) -> Result<Report, TaskError> {
        if !store.believes(&ending) {
            return Err(Refusal::ForgedRecord.into());
        }
        let problems = if self.has_proven {
            std::mem::take(&mut self.found.problems)
        } else {
            // Another process has read everything, and has recorded the problems.
            let recorded = store.recorded(&mut self.session())?;
            let deleted = ending.listed.saturating_sub(recorded.count());
            recorded.and_omitted(ending.omitted + deleted)
        };
        let outcome = if ending.doubt.is_none() { Outcome::Proven } else { Outcome::Incomplete };
        tracing::info!(?outcome, passes = run.pass, "run ended");
        Ok(Report {
            job: self.settings.job,
            outcome,
            primary: self.settings.keyring.primary(),
            passes: run.pass,
            columns: run.columns(self.plan, Some(&ending.tallies)),
            problems: problems.sorted(),
            proof: Some(ending.proof),
            doubt: ending.doubt,
            time_limit: None,
        })
    }

    /// The report on what this process did before it ended.
    fn unfinished(&mut self, outcome: Outcome) -> Report {
        let is_stopped = outcome == Outcome::Stopped;
        let Found { tallies, written, problems, .. } = &mut self.found;
        let busy: Vec<u64> = written.iter().map(|written| written.busy).collect();
        Report {
            job: self.settings.job,
            outcome,
            primary: self.settings.keyring.primary(),
            passes: self.counters.pass.load(Relaxed),
            columns: ColumnReport::all(self.settings.job, self.plan, tallies, written, &busy),
            problems: std::mem::take(problems).sorted(),
            proof: None,
            doubt: None,
            time_limit: self.settings.limits.max_runtime.filter(|limit| is_stopped && self.begun.elapsed() >= *limit),
        }
    }

    fn prover(&self, stop: StopHandle) -> Prover<'a, C> {
        Prover { settings: self.settings, pool: self.pool, plan: self.plan, nodes: self.nodes, stop }
    }

    /// Joins the run in the tables of the task, or starts one in memory.
    fn store(&self) -> Result<Store<'a, C>, TaskError> {
        let mut session = self.session();
        let state = if self.settings.stateless { None } else { Tables::prepare(&mut session)? };
        let Some(state) = state else { return self.memory(&mut session) };
        let keyring = self.settings.keyring.clone();
        Store::join(state, &mut session, self.plan, self.scope(), keyring, process_name(), self.settings.lease)
    }

    fn memory(&self, session: &mut Session<'_, C>) -> Result<Store<'a, C>, TaskError> {
        let now = session.run(state::now)?;
        let scope = self.scope();
        let keys = scope.keys.len();
        Ok(Store::memory(self.plan, Run::new(scope, self.plan, keys, now), self.settings.workers))
    }

    fn scope(&self) -> Scope {
        let keys = self.settings.keyring.fingerprints().map(|fingerprint| fingerprint.to_string());
        let tables = self.plan.tables();
        let conditions = tables.iter().flat_map(PlannedTable::describe_conditions);
        Scope {
            job: self.settings.job,
            keys: keys.collect(),
            check: self.settings.keyring.check_value(),
            targets: tables.iter().map(PlannedTable::describe).chain(conditions).collect(),
        }
    }

    fn session(&self) -> Session<'a, C> {
        Session::new(self.pool, self.settings.give_up_after, self.settings.stop.clone()).at(&self.settings.anchor)
    }
}

/// `host:process-random`. On two machines, or in two containers, the process number alone may be the same.
fn process_name() -> String {
    let mut random = [0; 4];
    // Without the random part, the name is nearly as good.
    let _ = getrandom::getrandom(&mut random);
    let host = gethostname::gethostname();
    format!("{}:{}-{:08x}", host.to_string_lossy(), std::process::id(), u32::from_be_bytes(random))
}
