//! The task as a Diesel migration.

use std::fmt;
use std::sync::Arc;

use diesel::connection::BoxableConnection;
use diesel::migration::{self, Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion};
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use crate::database::TaskConnection;
use crate::keys::debug_is_display;
use crate::reencrypt::report::{Doubt, Outcome, Report};
use crate::reencrypt::task::settings::Task;

/// Runs a [`Task`] as a Diesel migration, between migrations of SQL.
///
/// When it is applied, it has proven that no token is left under a secondary key, so later migrations may rely on that.
/// With [`Task::job`] it encrypts or decrypts a column instead: the next migration may add the guard or remove it. If
/// the task proves nothing, or finds values that are not readable, the migration returns an error and stays pending.
/// The next attempt continues the work.
///
/// # Before you use it
///
/// * It runs on connections of the pool, not on the connection of the harness, and outside a transaction. The pool must
///   connect to the same database. If the harness takes its connection from the same pool, the pool needs another one
///   for the task. An SQLite database in memory is a different database for each connection.
/// * Do not run it in a harness that wraps all migrations in one transaction. The task does not see the changes of
///   earlier migrations, or waits for their locks until it gives up.
/// * Every process of the application must have the new key as its primary key before the migration runs. Otherwise
///   processes still write values under the old key, which prevent the proof. If the application runs migrations when
///   it starts, that is too early while processes with the old keyring are still running.
/// * Each new database runs it again, on empty tables, which takes no time. It then uses the keyring of the process:
///   create the task with [`Keyring::current`](crate::Keyring::current).
/// * A task with [`Job::Encrypt`](crate::reencrypt::Job::Encrypt) refuses tokens that no recorded run explains. On SQLite
///   without the tables of the task, nothing is recorded: if an attempt may be interrupted there, create the task with
///   [`Task::accept_tokens_since`].
/// * Reverting it does nothing. The values stay readable with a keyring that has both keys.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel::r2d2::{ConnectionManager, Pool};
/// use diesel_encrypted::Keyring;
/// use diesel_encrypted::reencrypt::{ReencryptMigration, Task};
/// use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
///
/// const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = folder.path().join("db.sqlite").display().to_string();
/// # Keyring::new([diesel_encrypted::Key::generate(), diesel_encrypted::Key::generate()])?.install()?;
/// let pool = Pool::new(ConnectionManager::<SqliteConnection>::new(url))?;
/// let reencrypt = ReencryptMigration::new("2026-11-25-000000_reencrypt_people", &pool, || {
///     Ok(Task::new(Keyring::current()?).target("people.email".parse()?))
/// });
/// pool.get()?.run_pending_migrations(reencrypt.among(MIGRATIONS))?;
/// # Ok(())
/// # }
/// ```
pub struct ReencryptMigration<C>
where
    C: R2D2Connection + 'static,
{
    name: Name,
    pool: Pool<ConnectionManager<C>>,
    task: Arc<TaskMaker>,
    accepts_problems: bool,
}

type TaskMaker = dyn Fn() -> migration::Result<Task<'static>> + Send + Sync;

impl<C: TaskConnection> ReencryptMigration<C> {
    /// Creates the migration. Its name begins with its version, like the directory of a migration:
    /// `2026-11-25-000000_reencrypt_users`. `task` is called when the migration is applied.
    pub fn new(
        name: impl Into<String>,
        pool: &Pool<ConnectionManager<C>>,
        task: impl Fn() -> migration::Result<Task<'static>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: Name(name.into()), pool: pool.clone(), task: Arc::new(task), accepts_problems: false }
    }

    /// Lets the migration succeed although some values are not readable tokens. They stay unchanged.
    #[must_use]
    pub fn accept_problems(mut self, accept: bool) -> Self {
        self.accepts_problems = accept;
        self
    }

    /// Adds this migration to the migrations of `source`. A harness applies them in the order of their versions.
    pub fn among<S: MigrationSource<C::Backend>>(self, source: S) -> impl MigrationSource<C::Backend> {
        Among { source, migration: self }
    }
}

impl<C> Clone for ReencryptMigration<C>
where
    C: R2D2Connection + 'static,
{
    fn clone(&self) -> Self {
        let Self { name, pool, task, accepts_problems } = self;
        Self { name: name.clone(), pool: pool.clone(), task: Arc::clone(task), accepts_problems: *accepts_problems }
    }
}

impl<C: TaskConnection> Migration<C::Backend> for ReencryptMigration<C> {
    fn run(&self, _conn: &mut dyn BoxableConnection<C::Backend>) -> migration::Result<()> {
        let report = (self.task)()?.run(&self.pool)?;
        match NotDone::of(&report, self.accepts_problems) {
            Some(reason) => Err(Box::new(reason)),
            None => Ok(()),
        }
    }

    fn revert(&self, _conn: &mut dyn BoxableConnection<C::Backend>) -> migration::Result<()> {
        Ok(())
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        &OutsideTransaction
    }

    fn name(&self) -> &dyn MigrationName {
        &self.name
    }
}

struct Among<S, C>
where
    C: R2D2Connection + 'static,
{
    source: S,
    migration: ReencryptMigration<C>,
}

impl<S: MigrationSource<C::Backend>, C: TaskConnection> MigrationSource<C::Backend> for Among<S, C> {
    fn migrations(&self) -> migration::Result<Vec<Box<dyn Migration<C::Backend>>>> {
        let mut migrations = self.source.migrations()?;
        migrations.push(Box::new(self.migration.clone()));
        Ok(migrations)
    }
}

struct OutsideTransaction;

impl MigrationMetadata for OutsideTransaction {
    fn run_in_transaction(&self) -> bool {
        false
    }
}

#[derive(Clone)]
struct Name(String);

impl MigrationName for Name {
    /// Reads the version from the name, as `diesel_migrations` does with the name of a directory.
    fn version(&self) -> MigrationVersion<'_> {
        let version = self.0.split('_').next().unwrap_or_default();
        MigrationVersion::from(version.replace('-', ""))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the migration stays pending after the task has ended.
enum NotDone {
    Stopped,
    Unproven(Option<Doubt>),
    Problems(u64),
}

impl NotDone {
    fn of(report: &Report, accepts_problems: bool) -> Option<Self> {
        match report.outcome() {
            Outcome::Proven if accepts_problems || report.old_keys_may_go() => None,
            Outcome::Proven => Some(Self::Problems(report.problems.count())),
            Outcome::Stopped => Some(Self::Stopped),
            Outcome::Incomplete | Outcome::Failed => Some(Self::Unproven(report.doubt().cloned())),
        }
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the task was stopped: run the migrations again to continue"),
            Self::Unproven(Some(doubt)) => write!(f, "the task has not proven that its job is done: {doubt}"),
            Self::Unproven(None) => f.write_str(
                "the task has written nothing, because it is a dry run. Create it without Task::dry_run, and run the \
                 migrations again",
            ),
            Self::Problems(count) => write!(
                f,
                "{count} values are not readable with this keyring, and were left unchanged: Task::status counts them \
                 by column. Repair them, or add the key that wrote them, and run the migrations again. Or accept them \
                 with ReencryptMigration::accept_problems"
            ),
        }
    }
}

impl std::error::Error for NotDone {}

debug_is_display!(NotDone);
