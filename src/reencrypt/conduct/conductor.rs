//! What one process does for a run, from its first walk to the proof.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::clock::{CLOCKS, DatabaseClock};
use crate::database::connection::TaskConnection;
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::database::table::PlannedTable;
use crate::reencrypt::conduct::proof::{Prover, Reading};
use crate::reencrypt::conduct::settings::Settings;
use crate::reencrypt::conduct::watch::Watch;
use crate::reencrypt::report::column::ColumnReport;
use crate::reencrypt::report::doubt::Doubt;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::outcome::{Ending, Outcome, Proof, Report};
use crate::reencrypt::report::progress::Observer;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::time;
use crate::reencrypt::run::rules::{self, ClaimNumber, LEFT, Run, Scope, Step};
use crate::reencrypt::run::state;
use crate::reencrypt::run::store::Store;
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::throttle::lookout::{self, look_out};
use crate::reencrypt::throttle::monitor::Monitor;
use crate::reencrypt::throttle::pulse::Pulse;
use crate::reencrypt::throttle::rate::Throttle;
use crate::reencrypt::walk::shared::{Counters, Found, Mode, Walker};
use crate::reencrypt::walk::workers::{Sessions, walk};

/// Between two looks at what another process is doing.
const NAP: Duration = Duration::from_millis(200);

/// The work of one process.
pub(crate) struct Conductor<'a, 'o, C: TaskConnection> {
    settings: &'a Settings,
    pool: &'a Pool<ConnectionManager<C>>,
    tables: &'a [PlannedTable],
    watch: Watch<'a, 'o>,
    counters: Counters,
    /// What this process has come across.
    found: Found,
    /// Whether it was this process whose reading ended the run: the problems that were found are those of that reading.
    has_proven: bool,
}

impl<'a, 'o, C: TaskConnection> Conductor<'a, 'o, C> {
    pub(crate) fn new(
        settings: &'a Settings,
        pool: &'a Pool<ConnectionManager<C>>,
        tables: &'a [PlannedTable],
        observer: &'a mut Observer<'o>,
    ) -> Self {
        let found = Found::new(tables, settings.keyring.fingerprints().len());
        let watch = Watch::new(tables, observer);
        Self { settings, pool, tables, watch, counters: Counters::new(tables.len()), found, has_proven: false }
    }

    /// Reads everything, after all that is open now is over if it `waits`.
    pub(crate) fn read(mut self, waits: bool) -> Result<(Reading, Option<Doubt>), TaskError> {
        let prover = self.prover(self.settings.stop.clone());
        let timeout = self.settings.fence_timeout;
        let mut show = |waits_for| self.watch.show(&self.counters, waits_for);
        let doubt = if waits { prover.fence(timeout, |_, waits_for| show(waits_for))? } else { None };
        Ok((prover.read(&self.counters, show)?, doubt))
    }

    /// Does everything but write, in one walk.
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
        let monitor = limits.need_watching().then(|| Monitor::new::<C>(limits)).transpose()?;
        let primary = self.settings.keyring.primary();
        let span =
            tracing::info_span!("reencrypt", job = %self.settings.job, %primary, process = tracing::field::Empty);
        let _entered = span.enter();
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
                let conn = lookout::take(&monitor, pool);
                scope.spawn(move || span.in_scope(|| look_out(monitor, conn, throttle, pool, stop, &ended)));
            }
            self.follow(&mut store, &throttle)
        });
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
            Err(error) => Err(error.with_report(self.unfinished(Outcome::Failed))),
        }
    }

    /// Does what the run asks for, step by step; `None` if it was stopped.
    fn follow(&mut self, store: &mut Store<'a>, throttle: &Throttle) -> Result<Option<Report>, TaskError> {
        while !self.settings.stop.is_stopped() {
            let (step, run) = store.step(&mut self.session())?;
            // Its reading may have led to another pass, or ended a run that another one has followed.
            self.has_proven &= matches!(step, Step::Ended(_));
            match step {
                Step::Walk => self.walk(store, throttle, Mode::Write)?,
                Step::Prove(claim) => self.prove(store, throttle, claim)?,
                Step::Wait => self.wait(store, throttle)?,
                Step::Ended(ending) => return self.finished(store, &run, ending).map(Some),
                Step::Rejoin => *store = self.store()?,
            }
        }
        Ok(None)
    }

    fn walk(&mut self, store: &Store<'_>, throttle: &Throttle, mode: Mode) -> Result<(), TaskError> {
        let clock = DatabaseClock::new(self.session().run(state::now)?);
        let sessions = self.sessions()?;
        let Settings { keyring, batch, stop, .. } = self.settings;
        let (keyring, batch, stop) = (Arc::clone(keyring), *batch, stop.clone());
        let (tables, job) = (self.tables, self.settings.job);
        let walker = Walker { tables, job, keyring, store, throttle, batch, clock, stop };
        let tick = |waits_for| self.watch.show(&self.counters, waits_for);
        let (found, result) = walk(&walker, sessions, mode, &self.counters, tick);
        self.found.add(found);
        let (pass, rows, rewritten) = (&self.counters.pass, &self.counters.rows_read, &self.counters.rewritten);
        tracing::info!(?pass, ?rows, ?rewritten, "walk ended");
        result
    }

    /// Reads everything, and tells the run what that comes to.
    fn prove(&mut self, store: &Store<'_>, throttle: &Throttle, claim: ClaimNumber) -> Result<(), TaskError> {
        let pulse = Pulse::new(store, throttle, self.settings.stop.clone());
        // A pause ends the reading: it would keep its snapshot open, and the database everything that changes meanwhile.
        let (doubt, Reading { moment, found }) = loop {
            self.hold(&pulse)?;
            let halt = StopHandle::default();
            self.counters.prove(true);
            let result = self.read_all(&pulse, &halt);
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
        let (values, omitted): (u64, _) = (found.tallies.iter().map(Tally::values).sum(), problems.omitted());
        let is_everywhere = found.stale_ranges.is_empty() || found.stale_ranges.len() > LEFT;
        let ranges = if is_everywhere { rules::whole(self.tables.len()) } else { found.stale_ranges };
        self.has_proven = store.update(&mut session, |run, _, conn| {
            let newest = run.newest_stale().max(newest).filter(|date| *date > run.started / 1000 + CLOCKS);
            let doubt = match newest {
                Some(date) => Some(Doubt::written_later(job, date)),
                None => left.clone().or_else(|| doubt.clone()),
            };
            let walks_again = doubt.as_ref().is_some_and(Doubt::is_left) && run.may_walk_again();
            let proof = Proof { moment: time::of_moment(moment), values };
            let ending = Ending { proof, doubt, tallies: found.tallies.clone(), omitted };
            let is_accepted = run.proven(claim, if walks_again { Err(ranges.clone()) } else { Ok(ending) });
            if is_accepted {
                store.record_all(conn, problems.listed())?;
            }
            Ok(is_accepted && !walks_again)
        })?;
        let left: u64 = found.tallies.iter().map(|tally| tally.left(job)).sum();
        tracing::info!(values, left, "everything was read for the proof");
        self.found.problems = problems;
        Ok(())
    }

    /// Waits while another process reads everything.
    fn wait(&mut self, store: &Store<'_>, throttle: &Throttle) -> Result<(), TaskError> {
        let mut session = self.session();
        let pulse = Pulse::new(store, throttle, self.settings.stop.clone());
        while !session.is_stopped() && matches!(store.step(&mut session)?.0, Step::Wait) {
            self.watch.show(&self.counters, Some("another process reads everything, for the proof".into()));
            pulse.look(&mut session)?;
            session.pause(NAP);
        }
        Ok(())
    }

    /// Waits while operators want it to.
    fn hold(&mut self, pulse: &Pulse<'_>) -> Result<(), TaskError> {
        let mut session = self.session();
        pulse.look(&mut session)?;
        while let Some(reason) = pulse.is_paused().filter(|_| !session.is_stopped()) {
            self.watch.show(&self.counters, Some(reason));
            session.pause(NAP);
            pulse.look(&mut session)?;
        }
        Ok(())
    }

    /// Reads everything after what is open now is over. `halt` is set if that is to be given up.
    fn read_all(&mut self, pulse: &Pulse<'_>, halt: &StopHandle) -> Result<(Option<Doubt>, Reading), TaskError> {
        let (pool, settings) = (self.pool, self.settings);
        let prover = self.prover(halt.clone());
        let look = |session: Option<&mut Session<'_, C>>| {
            if let Some(Err(error)) = session.map(|session| pulse.look(session)) {
                tracing::warn!(%error, "the other processes do not hear of this one");
            }
            if settings.stop.is_stopped() || pulse.is_paused().is_some() {
                halt.stop();
            }
        };
        let doubt = prover.fence(settings.fence_timeout, |session, waits_for| {
            look(Some(session));
            self.watch.show(&self.counters, waits_for);
        })?;
        // Before the readers take what the pool has, but for the first of them.
        let mut control = spare(pool, settings).filter(|_| spare(pool, settings).is_some());
        let reading = prover.read(&self.counters, |waits_for| {
            control = control.take().or_else(|| spare(pool, settings));
            look(control.as_mut());
            self.watch.show(&self.counters, waits_for);
        })?;
        Ok((doubt, reading))
    }

    /// The report on a run that has ended, for all of its processes.
    fn finished(&mut self, store: &Store<'_>, run: &Run, ending: Ending) -> Result<Report, TaskError> {
        let problems = match self.has_proven {
            true => std::mem::take(&mut self.found.problems),
            // Another process has read everything, and has written down what it found.
            false => store.recorded(&mut self.session())?.and_omitted(ending.omitted),
        };
        let outcome = if ending.doubt.is_none() { Outcome::Proven } else { Outcome::Incomplete };
        tracing::info!(?outcome, passes = run.pass, "run ended");
        Ok(Report {
            job: self.settings.job,
            outcome,
            primary: self.settings.keyring.primary(),
            passes: run.pass,
            columns: run.columns(self.tables, Some(&ending.tallies)),
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
            job: self.settings.job,
            outcome,
            primary: self.settings.keyring.primary(),
            passes: self.counters.pass.load(Relaxed),
            columns: ColumnReport::all(self.settings.job, self.tables, tallies, written, &busy),
            problems: std::mem::take(problems).sorted(),
            proof: None,
            doubt: None,
        }
    }

    fn prover(&self, stop: StopHandle) -> Prover<'a, C> {
        Prover { settings: self.settings, pool: self.pool, tables: self.tables, stop }
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
        Scope {
            job: self.settings.job,
            keys: keys.collect(),
            targets: self.tables.iter().map(PlannedTable::describe).collect(),
        }
    }

    fn session(&self) -> Session<'a, C> {
        Session::new(self.pool, self.settings.give_up_after, self.settings.stop.clone())
    }
}

/// A connection that nobody else needs, if there is one.
fn spare<'a, C: TaskConnection>(pool: &'a Pool<ConnectionManager<C>>, settings: &Settings) -> Option<Session<'a, C>> {
    let state = pool.state();
    let may_be_had = state.idle_connections > 0 || state.connections < pool.max_size();
    let mut session = Session::new(pool, settings.give_up_after, settings.stop.clone());
    (may_be_had && session.is_available()).then_some(session)
}

/// `host:process-random`: on two machines, or in two containers, the number alone may be the same.
fn process_name() -> String {
    let mut random = [0; 4];
    // Without it the name is nearly as good.
    let _ = getrandom::getrandom(&mut random);
    let host = gethostname::gethostname();
    format!("{}:{}-{:08x}", host.to_string_lossy(), std::process::id(), u32::from_be_bytes(random))
}
