//! Checks whether the keyring, the targets and the data of an application belong together.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{Failure, Locks, Moment, Plan, PlannedTable, Session, StopHandle, TaskConnection};
use crate::keys::{Fingerprint, Keyring};
use crate::reencrypt::conduct::Sample;
use crate::reencrypt::conduct::planning::plan;
use crate::reencrypt::conduct::planted::explains;
use crate::reencrypt::conduct::sample;
use crate::reencrypt::report::{Cause, ColumnStatus, Job, Refusal, Tally, time};
use crate::reencrypt::run::signature::{Author, author};
use crate::reencrypt::run::state;
use crate::reencrypt::run::{Run, State, Stored};
use crate::startup::error::StartupError;
use crate::startup::key_order::newer_key;
use crate::targets::{Target, printable};

/// Checks, when an application starts, that its keyring and its schema belong to the database.
///
/// The check reads 100 rows at either end of each table and writes nothing, so every process can do it at every start.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
/// use diesel::r2d2::{ConnectionManager, Pool};
/// use diesel_encrypted::startup::StartupCheck;
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
/// # An old primary key
///
/// If a process starts with the old keyring after a rotation, it writes values that need the old key for ever. But two
/// other situations are correct: a new primary key while all values are still under the old one, and, during a
/// deployment, processes that write under either key. The check tells them apart by two things.
///
/// * *The run that the task has recorded in its tables.* A run found values under a key, and rewrote them under
///   another: it has rotated away from the first key. The check refuses that key as the primary key, until a run begins
///   with it as the primary key. The user of the application needs `SELECT` on `__diesel_encrypted_run`. Without it,
///   the check logs a warning.
/// * *The dates of the sampled tokens*, for keys that no recorded run has rotated away from. Every token shows when its
///   value was encrypted. The check refuses the primary key if all tokens of a secondary key are newer than those of
///   the primary key, one of them by more than [`deployment`](StartupCheck::deployment), and that one is itself older
///   than `deployment`. The last condition lets a deployment pass, even where values are seldom written: if a key
///   became the primary key less than `deployment` ago, all values under it are younger. Dates in the future of the
///   database's clock do not count.
///
/// The check cannot see:
///
/// * An old key under which it finds no value. It looks like a new key that is not in use yet. A
///   [stateless](crate::reencrypt::Task::stateless) task may have rewritten its values, or another program.
/// * The first mistakes after a rotation, until a value under the new key is older than `deployment`. If more than 100
///   rows are added to a table in that time, it sees none until a run of the task is recorded.
/// * Columns that are not named, and other databases.
///
/// A rewritten token keeps its date. In a table that grows at its end, a re-encryption that has stopped half-way
/// therefore looks like an old primary key: first tokens of the primary key with old dates, then newer tokens of a
/// secondary key. So the check ignores dates while a run is recorded as begun. It also ignores them on SQLite without
/// the [tables of the task](crate::reencrypt::state_tables), because no runs are recorded there. On the other
/// databases, a stateless task that was stopped has to be finished before the check passes.
#[must_use = "nothing is checked until it is run"]
pub struct StartupCheck {
    keyring: Arc<Keyring>,
    targets: Vec<Target>,
    adopting: Vec<Target>,
    deployment: Duration,
    give_up_after: Duration,
}

/// What the sampled rows hold; the result of [`StartupCheck::run`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StartupReport {
    /// The primary key.
    pub primary: Fingerprint,
    /// One entry per column. All counts are counts of the sampled rows.
    pub columns: Vec<ColumnStatus>,
    /// When they were read, on the clock of the database.
    pub moment: SystemTime,
    /// The columns, as `table.column`, that are being [adopted](StartupCheck::adopting) and hold tokens that no recorded
    /// run explains. The check logs a warning for each.
    ///
    /// Before any process writes tokens, there should be none: a user of the application may have stored a token of
    /// another column, and would read its plaintext. The check reads a sample. A dry run of a task with `Job::Encrypt`
    /// looks at every row.
    pub unexplained: Vec<String>,
}

impl StartupCheck {
    /// Creates a check of this keyring, without targets.
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

    /// Allows plaintext in the columns of this target, whose fields are [`Adopting`](crate::Adopting) or
    /// [`Leaving`](crate::Leaving). Adds the target if it is new.
    pub fn adopting(mut self, target: Target) -> Self {
        self.adopting.push(target);
        self
    }

    /// Sets how long it takes at most until all processes of the application have a new keyring. The default is one
    /// hour.
    pub fn deployment(mut self, time: Duration) -> Self {
        self.deployment = time;
        self
    }

    /// Sets for how long a failing database is tried again, and how long the check may take. The default is ten seconds.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Runs the check.
    ///
    /// # Errors
    ///
    /// [`StartupError::refusal`]:
    ///
    /// * there are no targets, a table or column does not exist or cannot hold tokens, or a table has no row key that
    ///   the task can use;
    /// * the keyring opens no sampled token of one column, or hardly any sampled token of all columns together;
    /// * a column holds plaintext that is not declared as [`adopting`](StartupCheck::adopting);
    /// * the primary key is [an old one](StartupCheck#an-old-primary-key).
    ///
    /// [`StartupError::is_database`] if the database failed or took too long. A few values that cannot be read are not
    /// an error as long as others can: the report counts them.
    pub fn run<C: TaskConnection>(&self, pool: &Pool<ConnectionManager<C>>) -> Result<StartupReport, StartupError> {
        let started = Instant::now();
        let mut session = Session::new(pool, self.give_up_after, StopHandle::default());
        let targets: Vec<Target> = self.targets.iter().chain(&self.adopting).cloned().collect();
        let planned = plan(&mut session, &targets, &[])?;
        let adopting =
            if self.adopting.is_empty() { Plan::default() } else { plan(&mut session, &self.adopting, &[])? };
        let moment = session.run(state::now)?;
        let mut sampled = Sample::new(&self.keyring, Job::Reencrypt);
        for table in planned.tables() {
            if started.elapsed() > self.give_up_after {
                let reason = format!("the check took longer than {:?}", self.give_up_after);
                return Err(Failure::database(reason).into());
            }
            sampled.add(&mut session, table)?;
        }
        judge_columns(&planned, &adopting, &sampled.tallies)?;
        sample::judge(&planned, &sampled.tallies, Job::Reencrypt)?;
        let unexplained = self.unexplained(&mut session, &planned, &adopting, &sampled.tallies)?;
        self.judge_primary(&mut session, sampled.dates, moment)?;
        let columns = ColumnStatus::all(&self.keyring, &planned, &sampled.tallies);
        Ok(StartupReport { primary: self.keyring.primary(), columns, moment: time::of_moment(moment), unexplained })
    }

    /// Refuses a primary key that was rotated away from.
    fn judge_primary<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        mut dates: Vec<Vec<u64>>,
        moment: Moment,
    ) -> Result<(), Cause> {
        let primary = self.keyring.primary();
        // The dates alone cannot distinguish a re-encryption that has stopped half-way from an old primary key.
        let Recorded::Run(run) = self.recorded(session)? else { return Ok(()) };
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
        let newest = time::of_seconds(newer.newest_of_primary);
        let newest_of_newer = time::of_seconds(newer.newest);
        match self.keyring.fingerprints().nth(newer.position) {
            Some(newer) => Err(Refusal::OldPrimary { primary, newest, newer, newest_of_newer }.into()),
            None => Ok(()),
        }
    }

    /// The columns that are being adopted and hold tokens that no recorded run explains.
    fn unexplained<C: TaskConnection>(
        &self,
        session: &mut Session<'_, C>,
        plan: &Plan,
        adopting: &Plan,
        tallies: &[Tally],
    ) -> Result<Vec<String>, Cause> {
        let with_tokens = plan.columns().zip(tallies).filter(|((table, column), tally)| {
            let is_adopting =
                adopting.columns().any(|(adopted, planned)| adopted.name == table.name && planned.name == column.name);
            is_adopting && tally.readable() > 0
        });
        let places = with_tokens.map(|((table, column), _)| format!("{}.{}", table.name, column.name));
        let places: Vec<String> = places.collect();
        if places.is_empty() || matches!(self.recorded(session)?, Recorded::Run(Some(run)) if explains(&run, adopting))
        {
            return Ok(Vec::new());
        }
        for place in &places {
            tracing::warn!(
                column = %printable(place),
                "the column holds tokens that no recorded run explains. If no process writes tokens there yet, a user of the \
                 application may have stored them, and would read their plaintext"
            );
        }
        Ok(places)
    }

    /// What the tables of the task show about the last run.
    fn recorded<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<Recorded, Cause> {
        let Some(state) = State::find(session)? else {
            return Ok(if C::Backend::SHARES { Recorded::Run(None) } else { Recorded::Unknown });
        };
        Ok(match session.once(|conn| state.load(conn))? {
            Ok(Stored::Run(run)) if author(&run, &self.keyring).is_ok_and(|author| author == Author::Holder) => {
                Recorded::Run(Some(Box::new(run)))
            }
            Ok(Stored::Run(_)) => {
                tracing::warn!(
                    "no process with a key of this keyring has recorded the last run, so the check cannot tell whether the \
                     primary key is an old one"
                );
                Recorded::Unknown
            }
            Ok(Stored::Nothing) => Recorded::Run(None),
            Ok(Stored::Foreign) => {
                tracing::warn!(
                    "the last run was recorded by another version, so the check cannot tell whether the primary key is an old one"
                );
                Recorded::Unknown
            }
            Err(error) => {
                let error = Failure::database(error);
                tracing::warn!(
                    %error,
                    "the table __diesel_encrypted_run cannot be read, so the check cannot tell whether the primary key is \
                     an old one. Grant this user SELECT on it"
                );
                Recorded::Unknown
            }
        })
    }
}

/// Refuses columns whose tokens cannot be read at all, and plaintext in columns that are not being adopted.
fn judge_columns(plan: &Plan, adopting: &Plan, tallies: &[Tally]) -> Result<(), Refusal> {
    let is_adopting = |table: &PlannedTable, column: &str| {
        adopting.columns().any(|(adopted, planned)| adopted.name == table.name && planned.name == column)
    };
    for ((table, planned), tally) in plan.columns().zip(tallies) {
        let column = &planned.name;
        if tally.unreadable > 0 && tally.readable() == 0 {
            let column = Some((table.name.clone(), column.clone()));
            let (job, unreadable) = (Job::Reencrypt, tally.unreadable);
            return Err(Refusal::WrongKeyring { job, column, readable: 0, unreadable });
        }
        if tally.plaintext > 0 && !is_adopting(table, column) {
            let (table, column) = (table.name.clone(), column.clone());
            return Err(Refusal::Plaintext { table, column, plaintext: tally.plaintext, values: tally.values() });
        }
    }
    Ok(())
}

/// What the tables of the task show about the last run.
enum Recorded {
    /// `None` if there was no run.
    Run(Option<Box<Run>>),
    /// There may have been a run that the tables do not show.
    Unknown,
}
