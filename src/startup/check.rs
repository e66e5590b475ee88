//! A look at the database when an application starts: whether its keyring, its targets and the data belong together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::connection::TaskConnection;
use crate::database::dialect::Locks;
use crate::database::failure::Failure;
use crate::database::moment::Moment;
use crate::database::plan::{Plan, PlannedTable};
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::keys::key::Fingerprint;
use crate::keys::keyring::Keyring;
use crate::keys::rotation::Opener;
use crate::reencrypt::conduct::planning::plan;
use crate::reencrypt::conduct::sample;
use crate::reencrypt::report::error::{Refusal, TaskError};
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::status::ColumnStatus;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::verdict::Verdict;
use crate::reencrypt::run::rules::Run;
use crate::reencrypt::run::state::{self, Stored};
use crate::startup::key_order::{Newer, newer_key};
use crate::targets::Target;

/// Fails early, when an application starts, if its keyring and its schema do not fit the database.
///
/// It reads 100 rows at either end of each table and writes nothing, so every instance can do it at every start.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
/// use diesel::r2d2::{ConnectionManager, Pool};
/// use diesel_encrypted::reencrypt::StartupCheck;
/// use diesel_encrypted::{Key, Keyring, Target};
///
/// diesel::table! {
///     use diesel::sql_types::*;
///     use diesel_encrypted::sql_types::*;
///
///     users (id) {
///         id -> Integer,
///         email -> EncryptedText,
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use diesel::RunQueryDsl;
/// # let folder = tempfile::tempdir()?;
/// # let url = folder.path().join("db.sqlite").display().to_string();
/// # Keyring::new([Key::generate()])?.install()?;
/// let pool = Pool::new(ConnectionManager::<diesel::SqliteConnection>::new(url))?;
/// # diesel::sql_query("create table users (id integer primary key, email text not null)").execute(&mut pool.get()?)?;
/// StartupCheck::new(Keyring::current()?).target(Target::of(users::table)?).run(&pool)?;
/// # Ok(())
/// # }
/// ```
///
/// # An old primary key in front
///
/// Where a key was rotated, and an instance starts with the former setting, it writes values that need the old key for
/// ever. But a new key in front of values that are all under the old one is as it should be, and so are, while a
/// deployment lasts, instances that write under either. Two things tell them apart.
///
/// * *The run that the task has recorded in its tables.* A key that a run has found values under, and brought them under
///   another, was rotated away from: it is refused as the primary key until a run is begun with it in front. The user
///   of the application needs `SELECT` on `__diesel_encrypted_run`; without, a warning is logged.
/// * *The dates of the sampled tokens*, where the keyring has a key that was not retired so. Every token tells when its
///   value was encrypted. A secondary key was put in front after the primary if all its tokens are newer than the
///   primary key's, one of them by more than [`deployment`](StartupCheck::deployment); and if that one is itself older than
///   that. The last condition is what lets a deployment pass, also where values are seldom written: all that is under a
///   key which was put in front less than `deployment` ago is younger. Dates in the future of the database's clock count
///   for nothing.
///
/// What this cannot see:
///
/// * an old key under which nothing was found. It looks like a new one that is not in use yet. Its values may have been
///   re-encrypted with `--stateless`, or by another program.
/// * the first mistakes after a rotation, until a value under the new key is older than `deployment`; and in a table to
///   which more than 100 rows are added in that time, until a run of the task is recorded.
/// * columns that are not named, and other databases.
///
/// A re-encrypted token keeps its date. So a re-encryption that has stopped half-way looks like an old primary key in a
/// table that grows at its end: first tokens of the primary key with old dates, then newer ones of a secondary. While a
/// run is recorded as begun, dates are therefore no evidence; nor are they on SQLite unless it has the tables of the task
/// (`diesel-encrypted migration state`), for there runs are not recorded otherwise. On the other databases a run with
/// `--stateless` that was stopped has to be finished before the check passes.
#[must_use = "nothing is checked before it is run"]
pub struct StartupCheck {
    keyring: Arc<Keyring>,
    targets: Vec<Target>,
    adopting: Vec<Target>,
    deployment: Duration,
    give_up_after: Duration,
}

/// What the sampled rows hold; made by [`StartupCheck::run`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StartupReport {
    /// The primary key.
    pub primary: Fingerprint,
    /// One entry per column. All figures are of the sampled rows.
    pub columns: Vec<ColumnStatus>,
    /// When they were read: milliseconds since 1970, on the clock of the database.
    pub moment: u64,
}

impl StartupCheck {
    /// A check of this keyring, without targets yet.
    pub fn new(keyring: impl Into<Arc<Keyring>>) -> Self {
        Self {
            keyring: keyring.into(),
            targets: Vec::new(),
            adopting: Vec::new(),
            deployment: Duration::from_secs(60 * 60),
            give_up_after: Duration::from_secs(10),
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

    /// Adds a target, or says of one, that it may hold plaintext: its fields are [`Adopting`](crate::Adopting) or
    /// [`Leaving`](crate::Leaving).
    pub fn adopting(mut self, target: Target) -> Self {
        self.adopting.push(target);
        self
    }

    /// How long it takes at most until all instances of the application have a new setting. The default is one hour.
    pub fn deployment(mut self, time: Duration) -> Self {
        self.deployment = time;
        self
    }

    /// How long a database that fails is tried again, and how long the check may take. The default is ten seconds.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Looks at the database.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_refused`]:
    ///
    /// * no targets, a table or column that does not exist or cannot hold tokens, a table without a usable row key (which
    ///   the task could not re-encrypt);
    /// * a column of which no sampled token can be read, though it has some, or hardly any of all;
    /// * plaintext in a column that is not said to be [`adopting`](StartupCheck::adopting);
    /// * [an old primary key in front](StartupCheck#an-old-primary-key-in-front).
    ///
    /// [`TaskError::is_database`] if the database failed, or took too long. Some values that cannot be read are no error
    /// as long as others can: the report counts them.
    pub fn run<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<StartupReport, TaskError> {
        let started = Instant::now();
        let mut session = Session::new(pool, self.give_up_after, StopHandle::default());
        let targets: Vec<Target> = self.targets.iter().chain(&self.adopting).cloned().collect();
        let planned = plan(&mut session, &targets, &[])?;
        let adopting =
            if self.adopting.is_empty() { Plan::default() } else { plan(&mut session, &self.adopting, &[])? };
        let moment = session.run(state::now)?;
        let mut sampled = Sampled::new(&self.keyring);
        for table in planned.tables() {
            if started.elapsed() > self.give_up_after {
                let reason = format!("it took longer than {:?} to look at it", self.give_up_after);
                return Err(Failure::database(reason).into());
            }
            sampled.add(&mut session, table)?;
        }
        sampled.judge(&planned, &adopting)?;
        sample::judge(&planned, &sampled.tallies, Job::Reencrypt)?;
        self.judge_primary(&mut session, &sampled, moment)?;
        let columns = ColumnStatus::all(&self.keyring, &planned, &sampled.tallies);
        Ok(StartupReport { primary: self.keyring.primary(), columns, moment })
    }

    /// Refuses a primary key that was rotated away from.
    fn judge_primary<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        sampled: &Sampled<'_>,
        moment: Moment,
    ) -> Result<(), TaskError> {
        let primary = self.keyring.primary();
        // A re-encryption that has stopped half-way cannot be told from an old key in front by the dates.
        let Recorded::Run(run) = recorded(session)? else { return Ok(()) };
        let mut dates = sampled.dates.clone();
        if let Some(run) = run {
            let recorded = run.scope.keys.first().cloned().unwrap_or_default();
            if run.has_retired(&primary.to_string()) {
                return Err(Refusal::RetiredPrimary { primary, recorded }.into());
            }
            if recorded == primary.to_string() && !run.is_over() {
                return Ok(());
            }
            for (dates, key) in dates.iter_mut().zip(self.keyring.fingerprints()) {
                if run.has_retired(&key.to_string()) {
                    dates.clear();
                }
            }
        }
        let Some(newer) = newer_key(&dates, self.deployment.as_secs(), moment / 1000) else { return Ok(()) };
        let Newer { position, newest: newest_of_newer, newest_of_primary: newest } = newer;
        match self.keyring.fingerprints().nth(position) {
            Some(newer) => Err(Refusal::OldPrimary { primary, newest, newer, newest_of_newer }.into()),
            None => Ok(()),
        }
    }
}

/// What was found in the sample.
struct Sampled<'k> {
    opener: Opener<'k>,
    keys: usize,
    /// One for each column of the plan so far.
    tallies: Vec<Tally>,
    /// Of the tokens under each key, in seconds since 1970.
    dates: Vec<Vec<u64>>,
}

impl<'k> Sampled<'k> {
    fn new(keyring: &'k Keyring) -> Self {
        let keys = keyring.fingerprints().len();
        Self { opener: Opener::new(keyring), keys, tallies: Vec::new(), dates: vec![Vec::new(); keys] }
    }

    fn add<C: TaskConnection>(&mut self, session: &mut Session<'_, C>, table: &PlannedTable) -> Result<(), TaskError> {
        let Self { opener, keys, tallies, dates } = self;
        let first = tallies.len();
        tallies.resize(first + table.columns.len(), Tally::new(*keys));
        sample::sample(session, table, Job::Reencrypt, opener, |column, verdict| {
            let tally = &mut tallies[first + column];
            match verdict {
                Some(verdict) => tally.add(verdict, Job::Reencrypt, 0),
                None => tally.null += 1,
            }
            if let Some(Verdict::Token { position, timestamp, .. }) = verdict {
                dates[*position].push(*timestamp);
            }
        })
    }

    /// Refuses columns that hold tokens of which none can be read, and plaintext in columns that are not being adopted.
    fn judge(&self, plan: &Plan, adopting: &Plan) -> Result<(), Refusal> {
        let is_adopting = |table: &PlannedTable, column: &str| {
            adopting.columns().any(|(adopted, planned)| adopted.name == table.name && planned.name == column)
        };
        for ((table, planned), tally) in plan.columns().zip(&self.tallies) {
            let column = &planned.name;
            if tally.unreadable > 0 && tally.readable() == 0 {
                let place = format!("{}.{column}", table.name);
                return Err(Refusal::WrongKeyring {
                    job: Job::Reencrypt,
                    place,
                    readable: 0,
                    unreadable: tally.unreadable,
                });
            }
            if tally.plaintext > 0 && !is_adopting(table, column) {
                let (table, column) = (table.name.clone(), column.clone());
                return Err(Refusal::Plaintext { table, column, plaintext: tally.plaintext, values: tally.values() });
            }
        }
        Ok(())
    }
}

/// What the tables of the task tell of the last run.
enum Recorded {
    /// `None` if there was none.
    Run(Option<Box<Run>>),
    /// It may have been one of which they do not tell.
    Unknown,
}

fn recorded<C: TaskConnection>(session: &mut Session<'_, C>) -> Result<Recorded, TaskError> {
    if !session.run(state::exists)? {
        return Ok(if C::Backend::SHARES { Recorded::Run(None) } else { Recorded::Unknown });
    }
    Ok(match session.once(state::load)? {
        Ok(Stored::Run(run)) => Recorded::Run(Some(Box::new(run))),
        Ok(Stored::Nothing) => Recorded::Run(None),
        Ok(Stored::Foreign) => {
            tracing::warn!("the last run was recorded by another version: whether an old key is in front is not known");
            Recorded::Unknown
        }
        Err(error) => {
            let error = Failure::database(error);
            tracing::warn!(
                %error,
                "the table __diesel_encrypted_run cannot be read: whether an old key is in front is not known. Grant \
                 this user SELECT on it"
            );
            Recorded::Unknown
        }
    })
}
