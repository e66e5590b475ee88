//! Runs a task, or reads what it would work on.

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{Cost, Estimate, Plan, Session, TaskConnection};
use crate::keys::Fingerprint;
use crate::reencrypt::conduct::checks;
use crate::reencrypt::conduct::planning;
use crate::reencrypt::conduct::sample;
use crate::reencrypt::conduct::{Conductor, Nodes, Reading};
use crate::reencrypt::report::{ColumnStatus, Job, Refusal, Report, Retirement, Status, TaskError, time};
use crate::reencrypt::task::settings::Task;
use crate::reencrypt::walk::Settings;

/// # Running it
impl Task<'_> {
    /// Does the [job](Task::job), pass after pass, and proves that nothing is left to do. The default job rewrites every
    /// value that is under a secondary key.
    ///
    /// Any number of processes can do this at the same time, on any number of machines. They share the work through
    /// three tables, `__diesel_encrypted_run`, `__diesel_encrypted_chunk` and `__diesel_encrypted_problem`, which the
    /// task creates if they are missing. On SQLite it does not create them, and works [stateless](Task::stateless)
    /// unless [they exist](crate::reencrypt::state_tables).
    ///
    /// The task changes settings of its connections: short waits for locks, `READ COMMITTED`, a strict SQL mode, and no
    /// hiding of rows by row-level security. On PostgreSQL, they last for one transaction. Elsewhere, the task restores
    /// them before a connection goes back to the pool, or closes the connection. Each worker reads with one connection
    /// and writes with another. If the pool has too few, it does both with one.
    ///
    /// The connections must lead to the server itself, or to a pooler in session mode. The task refuses a pooler that
    /// shares the sessions of the server ([`Refusal::Pooler`]).
    ///
    /// # Errors
    ///
    /// [`TaskError::refusal`] if the task refuses to work: see [`Refusal`] for the reasons.
    /// [`TaskError::is_database`] if the database kept failing until the task [gave up](Task::give_up_after).
    ///
    /// Values that cannot be read are not an error: the [`Report`] lists them.
    ///
    /// Before [`Job::Encrypt`] writes anything, it looks for tokens that somebody else has written: see
    /// [`accept_tokens_since`](Task::accept_tokens_since).
    pub fn run<C: TaskConnection>(mut self, pool: &Pool<ConnectionManager<C>>) -> Result<Report, TaskError> {
        let plan = self.plan(pool)?;
        checks::check_conversion(&mut self.session(pool), &plan, self.settings.job)?;
        if !self.dry_run {
            checks::check_writable(&mut self.session(pool), &self.settings.anchor)?;
            checks::check_privileges(&mut self.session(pool), &plan)?;
            checks::check_side_effects(&mut self.session(pool), &plan, self.accept_triggers)?;
        }
        sample::check_keyring(&mut self.session(pool), &plan, self.settings.job, &self.settings.keyring)?;
        self.check_tokens(pool, &plan)?;
        let nodes = Nodes::new(&self.settings.nodes)?;
        let conductor = Conductor::new(&self.settings, pool, &plan, &nodes, &mut self.on_progress);
        if self.dry_run { conductor.rehearse() } else { conductor.run() }
    }

    /// Reads every value from one snapshot, and counts the values under each key. Writes nothing.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::run`], except for a keyring that does not belong to the data: the status shows that.
    pub fn status<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Status, TaskError> {
        self.read(pool, false)
    }

    /// Waits for every open transaction, and then reads the [`status`](Task::status). If it finds no value under a key,
    /// and no process encrypts with that key, then there will never be one.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::status`].
    pub fn prove<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Status, TaskError> {
        self.read(pool, true)
    }

    /// Proves that a key may be removed from the keyring: that [every value](Task::prove) is under other keys.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::status`]; [`Refusal::PrimaryKey`] and [`Refusal::UnknownKey`] for a key that is the
    /// primary key or not in the keyring.
    pub fn retire<C: TaskConnection>(
        self,
        key: Fingerprint,
        pool: &Pool<ConnectionManager<C>>,
    ) -> Result<Retirement, TaskError> {
        let keyring = &self.settings.keyring;
        if key == keyring.primary() {
            return Err(Refusal::PrimaryKey { key }.into());
        }
        if keyring.fingerprints().all(|known| known != key) {
            return Err(Refusal::UnknownKey { key, known: keyring.fingerprints().collect() }.into());
        }
        Ok(Retirement { key, status: self.prove(pool)? })
    }

    /// Estimates what it will cost to rewrite every row of the targets. It reads the catalogue, not the tables. SQLite
    /// has no such figures: there it counts the rows.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::status`].
    pub fn estimate<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<Estimate, TaskError> {
        let plan = self.plan(pool)?;
        let mut session = self.session(pool);
        let estimates = plan.tables().iter().map(|table| {
            let estimate = session.run(|conn| C::Backend::estimate(conn, table))?;
            Ok(if self.settings.job == Job::Encrypt { estimate.and_tokens(table) } else { estimate })
        });
        Ok(Estimate { tables: estimates.collect::<Result<_, TaskError>>()? })
    }

    fn read<C: TaskConnection>(mut self, pool: &Pool<ConnectionManager<C>>, waits: bool) -> Result<Status, TaskError> {
        let plan = self.plan(pool)?;
        let nodes = Nodes::new(&self.settings.nodes)?;
        let conductor = Conductor::new(&self.settings, pool, &plan, &nodes, &mut self.on_progress);
        let Reading { moment, found, doubt } = conductor.read(waits)?;
        let Settings { keyring, stop, .. } = &self.settings;
        Ok(Status {
            primary: keyring.primary(),
            columns: ColumnStatus::all(keyring, &plan, &found.tallies),
            moment: time::of_moment(moment),
            fenced: waits && doubt.is_none(),
            doubt,
            stopped: stop.is_stopped(),
        })
    }

    /// Refuses tokens in the columns that nothing explains, before the first one is written.
    fn check_tokens<C: TaskConnection>(
        &mut self,
        pool: &Pool<ConnectionManager<C>>,
        plan: &Plan,
    ) -> Result<(), TaskError> {
        let Settings { keyring, job, .. } = &self.settings;
        if !self.accepted_tokens.needs_reading(&mut self.session(pool), plan, keyring, *job)? {
            return Ok(());
        }
        let nodes = Nodes::new(&[])?;
        let conductor = Conductor::new(&self.settings, pool, plan, &nodes, &mut self.on_progress);
        let tallies = conductor.read(false)?.found.tallies;
        Ok(self.accepted_tokens.judge(plan, &tallies)?)
    }

    fn plan<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<Plan, TaskError> {
        let mut session = self.session(pool);
        checks::check_connection(&session)?;
        let mut plan = planning::plan(&mut session, &self.targets, &self.token_like_plaintext)?;
        planning::count_rows(&mut session, &mut plan)?;
        Ok(plan)
    }

    fn session<'p, C: TaskConnection>(&self, pool: &'p Pool<ConnectionManager<C>>) -> Session<'p, C> {
        Session::new(pool, self.settings.give_up_after, self.settings.stop.clone()).at(&self.settings.anchor)
    }
}
