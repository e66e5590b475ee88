//! The task: its settings, and what can be asked of it.

use std::sync::Arc;
use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::connection::TaskConnection;
use crate::database::dialect::Cost;
use crate::database::estimate::Estimate;
use crate::database::plan::Plan;
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::keys::key::Fingerprint;
use crate::keys::keyring::Keyring;
use crate::reencrypt::conduct::checks;
use crate::reencrypt::conduct::conductor::Conductor;
use crate::reencrypt::conduct::planning;
use crate::reencrypt::conduct::proof::Reading;
use crate::reencrypt::conduct::sample;
use crate::reencrypt::report::error::{Refusal, TaskError};
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::outcome::Report;
use crate::reencrypt::report::progress::{Observer, Progress};
use crate::reencrypt::report::retire::Retirement;
use crate::reencrypt::report::status::Status;
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::walk::settings::Settings;
use crate::targets::Target;

/// Re-encrypts the values of its targets under the primary key of a keyring, or tells their status.
///
/// See the [module](crate::reencrypt) for what it does and an example.
#[must_use = "a task does nothing until it is run"]
pub struct Task<'a> {
    targets: Vec<Target>,
    token_like_plaintext: Vec<Target>,
    dry_run: bool,
    accept_triggers: bool,
    pub(crate) settings: Settings,
    observer: Observer<'a>,
}

impl<'a> Task<'a> {
    /// A task without targets yet.
    pub fn new(keyring: impl Into<Arc<Keyring>>) -> Self {
        Self {
            targets: Vec::new(),
            token_like_plaintext: Vec::new(),
            dry_run: false,
            accept_triggers: false,
            settings: Settings {
                job: Job::Reencrypt,
                keyring: keyring.into(),
                batch: None,
                workers: 1,
                stateless: false,
                give_up_after: Duration::from_secs(60),
                fence_timeout: Duration::from_secs(60),
                lease: Duration::from_secs(60),
                limits: Limits::default(),
                stop: StopHandle::default(),
            },
            observer: Box::new(|_| {}),
        }
    }

    /// Adds a target.
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds targets.
    pub fn targets(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.targets.extend(targets);
        self
    }

    /// What to make of the values. The default is to re-encrypt tokens.
    pub fn job(mut self, job: Job) -> Self {
        self.settings.job = job;
        self
    }

    /// Takes what looks like a token in these columns, and opens under no key, for plaintext of the application; they must
    /// be among the targets.
    ///
    /// Without it such values are listed and left alone, since nobody can tell them from tokens that are damaged or under
    /// a key that is missing. **With it those are encrypted once more**, and after that only a
    /// [`Decrypt`](Job::Decrypt) brings them back as they were: look at every one that a dry run lists, before.
    pub fn token_like_plaintext(mut self, target: Target) -> Self {
        self.token_like_plaintext.push(target);
        self
    }

    /// Rows read, and at most written, in one statement. The default is what was fastest: 1000 on PostgreSQL and
    /// SQLite, 500 on MySQL and MariaDB. It is lowered where a statement cannot bind that many values, where rows are
    /// large, and where writing takes longer than 50 ms.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.settings.batch = Some(rows.max(1));
        self
    }

    /// Workers side by side, each with two connections if the pool has them: one page is read while another is written.
    /// The default is 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.max(1);
        self
    }

    /// Does everything but write, in one pass.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Lets the triggers of the tables fire. A table on which the task's writes would set off a trigger is refused
    /// otherwise: one that keeps an `updated_at`, as those of `diesel_manage_updated_at` do, would set it in every row.
    ///
    /// Looked for are those that an `UPDATE` of the encrypted columns sets off, on PostgreSQL in the session at hand:
    /// with `session_replication_role = replica` most do not fire. MySQL and MariaDB show triggers only to users with
    /// the privilege `TRIGGER`; the task warns where it lacks that.
    pub fn accept_triggers(mut self, accept: bool) -> Self {
        self.accept_triggers = accept;
        self
    }

    /// Works alone and without tables of its own. A task that was killed then begins by reading everything again, and
    /// several of them do the same work several times; nothing else is lost.
    pub fn stateless(mut self, stateless: bool) -> Self {
        self.settings.stateless = stateless;
        self
    }

    /// How long a failing database is tried again before the task gives up. The default is one minute.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.settings.give_up_after = time;
        self
    }

    /// How long the proof waits for transactions that were open before it. The default is one minute.
    pub fn fence_timeout(mut self, time: Duration) -> Self {
        self.settings.fence_timeout = time;
        self
    }

    /// After this time without a sign of life, on the clock of the database, the other processes take over what this one
    /// was at. The default is one minute. A process that was only slow is refused its next write there, and goes on
    /// elsewhere.
    pub fn lease(mut self, time: Duration) -> Self {
        self.settings.lease = time;
        self
    }

    /// Lets `stop` end the task early.
    pub fn stop_handle(mut self, stop: StopHandle) -> Self {
        self.settings.stop = stop;
        self
    }

    /// Calls `observer` ten times a second, on the thread that runs the task.
    pub fn observer(mut self, observer: impl FnMut(&Progress) + Send + 'a) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Does the [job](Task::job), pass after pass, and proves that nothing is left of it: by default, rewrites every value
    /// under a secondary key.
    ///
    /// Any number of processes can do this at the same time, on any number of machines: they share the work through
    /// three tables of their own, `__diesel_encrypted_run`, `_chunk` and `_problem`, which are created where they are
    /// missing. On SQLite that is left out unless the tables are there; see also [`stateless`](Task::stateless).
    ///
    /// The connections get the settings that the task needs (hardly any wait for locks, `READ COMMITTED`, a strict SQL
    /// mode, no hiding of rows by row-level security) and their former ones when they go back to the pool. Each worker
    /// reads with one connection and writes with another; if the pool has fewer, it does both with one.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_refused`]: no targets, an unknown table or column, a column that does not hold tokens, a table
    /// without a usable row key, one that is too short for its tokens or tied to other columns, triggers that were not [accepted](Task::accept_triggers), a keyring that reads hardly
    /// anything of the data, another process with other keys or targets, state tables that are missing and may not be
    /// created. [`TaskError::is_database`] if the database failed
    /// until the time to give up.
    ///
    /// Values that cannot be read are no error: the [`Report`] lists them.
    pub fn run<C: TaskConnection>(mut self, pool: &Pool<ConnectionManager<C>>) -> Result<Report, TaskError> {
        let plan = self.plan(pool)?;
        checks::check_conversion(&mut self.session(pool), &plan, self.settings.job)?;
        if !self.dry_run {
            checks::check_side_effects(&mut self.session(pool), &plan, self.accept_triggers)?;
        }
        sample::check_keyring(&mut self.session(pool), &plan, self.settings.job, &self.settings.keyring)?;
        let conductor = Conductor::new(&self.settings, pool, &plan, &mut self.observer);
        if self.dry_run { conductor.rehearse() } else { conductor.run() }
    }

    /// Reads every value, as it was at one moment, and tells under which keys they are. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Task::run`], but for a keyring that does not belong to the data: that is what the status shows.
    pub fn status<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Status, TaskError> {
        self.read(pool, false)
    }

    /// The [`status`](Task::status) after every transaction is over that was open. If it finds no value under a key, and
    /// nobody encrypts with that key, then there never will be one.
    ///
    /// # Errors
    ///
    /// Those of [`Task::status`].
    pub fn prove<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Status, TaskError> {
        self.read(pool, true)
    }

    /// Whether a key may be removed from the keyring: whether [every value](Task::prove) is under others.
    ///
    /// # Errors
    ///
    /// Those of [`Task::status`]; [`TaskError::is_refused`] also if it is the primary key, or not in the keyring.
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
            let known: Vec<String> = keyring.fingerprints().map(|known| known.to_string()).collect();
            return Err(Refusal::UnknownKey { key, known: known.join(", ") }.into());
        }
        Ok(Retirement { key, status: self.prove(pool)? })
    }

    /// What it will cost to rewrite every row of the targets. It reads the catalogue only, and nothing of the tables;
    /// on SQLite, which has no such figure, the rows are counted.
    ///
    /// # Errors
    ///
    /// Those of [`Task::status`].
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
        let conductor = Conductor::new(&self.settings, pool, &plan, &mut self.observer);
        let (Reading { moment, found }, doubt) = conductor.read(waits)?;
        let Settings { keyring, stop, .. } = &self.settings;
        Ok(Status::new(keyring, &plan, moment, &found.tallies, waits, doubt, stop.is_stopped()))
    }

    fn plan<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<Plan, TaskError> {
        let mut session = self.session(pool);
        let mut plan = planning::plan(&mut session, &self.targets, &self.token_like_plaintext)?;
        planning::count_rows(&mut session, &mut plan)?;
        Ok(plan)
    }

    fn session<'p, C: TaskConnection>(&self, pool: &'p Pool<ConnectionManager<C>>) -> Session<'p, C> {
        Session::new(pool, self.settings.give_up_after, self.settings.stop.clone())
    }
}
