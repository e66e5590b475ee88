//! The task as a migration of Diesel's.

use std::fmt;
use std::sync::Arc;

use diesel::backend::Backend;
use diesel::connection::{BoxableConnection, Connection, LoadConnection};
use diesel::migration::{self, Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion};
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::reencrypt::report::outcome::{Doubt, Outcome, Report};
use crate::reencrypt::task::settings::Task;

/// Runs a [`Task`] as one of Diesel's migrations, between others of SQL.
///
/// Applied, it has proven that no token is left under a secondary key: what follows may take the old key for gone. With
/// [`Task::job`] it encrypts a column instead, or decrypts it: what follows may be the guard, or its end. If that is not
/// proven, or values were found that are not readable, it is an error, and the migration stays pending; the
/// next attempt goes on with what is left.
///
/// # What to mind
///
/// * It runs on connections of the pool, not on that of the harness, and outside a transaction. The pool must lead to the
///   same database, and have a connection to spare if that of the harness is from it. An SQLite database in memory is
///   another one for each connection.
/// * A harness that wraps all migrations in one transaction of its own cannot have it among them: what was done to the
///   tables before is not to be seen by the task, or is locked against it until it gives up.
/// * Every instance of the application must have the new key in front before the migration runs, since what is written
///   under the old key meanwhile prevents the proof. Migrations that run at the start of the application, before the
///   others have been replaced, are too early for it.
/// * Each new database runs it again, on empty tables, which takes no time. The keyring of the process is the one that
///   counts then: make the task of [`Keyring::current`](crate::Keyring::current).
/// * Reverting it does nothing: the values stay as they are, and readable with a keyring that has both keys.
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
    /// The migration of this name, which begins with its version, as the directory of a migration does:
    /// `2026-11-25-000000_reencrypt_users`. `task` is called when it is applied.
    pub fn new(
        name: impl Into<String>,
        pool: &Pool<ConnectionManager<C>>,
        task: impl Fn() -> migration::Result<Task<'static>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: Name(name.into()), pool: pool.clone(), task: Arc::new(task), accepts_problems: false }
    }

    /// Takes values that are not readable tokens for no reason to fail. They stay as they are.
    #[must_use]
    pub fn accept_problems(mut self, accept: bool) -> Self {
        self.accepts_problems = accept;
        self
    }

    /// This migration and those of `source`. A harness applies them in the order of their versions.
    pub fn among<S>(self, source: S) -> impl MigrationSource<C::Backend>
    where
        S: MigrationSource<C::Backend>,
    {
        Among { source, migration: self }
    }
}

impl<C> Clone for ReencryptMigration<C>
where
    C: R2D2Connection + 'static,
{
    fn clone(&self) -> Self {
        let Self { name, pool, task, accepts_problems } = self;
        let (name, pool, task) = (name.clone(), pool.clone(), Arc::clone(task));
        Self { name, pool, task, accepts_problems: *accepts_problems }
    }
}

impl<C, DB> Migration<DB> for ReencryptMigration<C>
where
    C: R2D2Connection + LoadConnection + Connection<Backend = DB> + 'static,
    DB: Backend + Dialect,
{
    fn run(&self, _conn: &mut dyn BoxableConnection<DB>) -> migration::Result<()> {
        let report = (self.task)()?.run(&self.pool)?;
        match NotDone::of(&report, self.accepts_problems) {
            Some(reason) => Err(Box::new(reason)),
            None => Ok(()),
        }
    }

    fn revert(&self, _conn: &mut dyn BoxableConnection<DB>) -> migration::Result<()> {
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

impl<S, C, DB> MigrationSource<DB> for Among<S, C>
where
    S: MigrationSource<DB>,
    C: R2D2Connection + LoadConnection + Connection<Backend = DB> + 'static,
    DB: Backend + Dialect,
{
    fn migrations(&self) -> migration::Result<Vec<Box<dyn Migration<DB>>>> {
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
    /// As `diesel_migrations` reads it from the name of a directory.
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

/// Why the migration stays pending although the task has ended.
#[derive(Debug)]
enum NotDone {
    Stopped,
    Unproven(Option<Doubt>),
    Problems(u64),
}

impl NotDone {
    fn of(report: &Report, accepts_problems: bool) -> Option<Self> {
        let problems = report.problems().len() as u64 + report.problems_omitted();
        match report.outcome() {
            Outcome::Proven if problems == 0 || accepts_problems => None,
            Outcome::Proven => Some(Self::Problems(problems)),
            Outcome::Stopped => Some(Self::Stopped),
            Outcome::Incomplete | Outcome::Failed => Some(Self::Unproven(report.doubt().cloned())),
        }
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the task was stopped: run the migrations again to go on"),
            Self::Unproven(Some(doubt)) => write!(f, "the task is not proven to be finished: {doubt}"),
            Self::Unproven(None) => f.write_str(
                "the task is not finished: a dry run writes nothing. Make the task without, and run the \
                 migrations again",
            ),
            Self::Problems(count) => write!(
                f,
                "{count} values are not readable with this keyring, and were left as they are: `diesel-encrypted \
                 status` tells in which columns. Repair them, or add the key that wrote them, and run the migrations \
                 again; or accept them (ReencryptMigration::accept_problems)"
            ),
        }
    }
}

impl std::error::Error for NotDone {}
