//! What an operator asks of a run that any number of processes share: to wait, to go on, to end, and what they found.

use diesel::r2d2::{ConnectionManager, Pool};
use diesel::result::{Error as DieselError, QueryResult};
use std::time::Duration;

use crate::database::connection::TaskConnection;
use crate::database::moment::Moment;
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::reencrypt::report::error::{Refusal, TaskError};
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::outcome::Problem;
use crate::reencrypt::run::rules::Run;
use crate::reencrypt::run::state::{self, Stored};

/// Speaks with the processes that re-encrypt a database together, through the tables that they share their work by.
///
/// Each process looks there about once a second, wherever it runs. Processes that work [stateless](crate::reencrypt::Task::stateless)
/// do not.
///
#[cfg_attr(all(feature = "cli-sqlite", feature = "reencrypt"), doc = "```")]
#[cfg_attr(not(all(feature = "cli-sqlite", feature = "reencrypt")), doc = "```ignore")]
/// use diesel::SqliteConnection;
/// use diesel::r2d2::{ConnectionManager, Pool};
/// use diesel_encrypted::reencrypt::Control;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = folder.path().join("db.sqlite").display().to_string();
/// let pool = Pool::new(ConnectionManager::<SqliteConnection>::new(url))?;
/// match Control::new(&pool).pause() {
///     Ok(run) => println!("{} wait", run.processes.join(", ")),
///     Err(error) if error.is_refused() => println!("{error}"), // nobody is at work
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked before one of the methods is called"]
pub struct Control<'a, C: TaskConnection> {
    pool: &'a Pool<ConnectionManager<C>>,
    give_up_after: Duration,
}

/// A run at which processes are at work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedRun {
    /// The processes that are alive: `host:process-random`.
    pub processes: Vec<String>,
    /// What they make of the values.
    pub job: Job,
    /// When the first of them began: milliseconds since 1970, on the clock of the database.
    pub started: u64,
    /// The walk over the targets that they are at, counted from 1.
    pub pass: u32,
    /// Whether they are asked to wait.
    pub is_paused: bool,
}

/// The values that the task could not bring under the primary key, as it wrote them down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedProblems {
    /// The first 10,000.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: u64,
    /// When everything was read last, for the proof: milliseconds since 1970, on the clock of the database. `None` if the
    /// last run is not finished: then there may be more, and values that were mended since are still listed.
    pub moment: Option<u64>,
}

impl<'a, C: TaskConnection> Control<'a, C> {
    /// For the database of this pool.
    pub fn new(pool: &'a Pool<ConnectionManager<C>>) -> Self {
        Self { pool, give_up_after: Duration::from_secs(10) }
    }

    /// How long a failing database is tried again. The default is ten seconds.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Lets all processes that are at work, and those that join them, wait until they may [go on](Control::resume). A
    /// reading for the proof is given up, and begins anew then. The pause ends with the last of the processes: it does not
    /// hold a run that is started later.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_refused`] if nobody is at work, [`TaskError::is_database`] if the database fails.
    pub fn pause(&self) -> Result<SharedRun, TaskError> {
        self.ask(|run| run.pause(true))
    }

    /// Lets the processes go on that were told to [wait](Control::pause).
    ///
    /// # Errors
    ///
    /// As [`pause`](Control::pause).
    pub fn resume(&self) -> Result<SharedRun, TaskError> {
        self.ask(|run| run.pause(false))
    }

    /// Ends the processes that are at work now, each after the page that it is at. Whoever is started later is not meant,
    /// and goes on with what they left.
    ///
    /// # Errors
    ///
    /// As [`pause`](Control::pause).
    pub fn stop(&self) -> Result<SharedRun, TaskError> {
        self.ask(Run::stop)
    }

    /// Who is at work; `None` if nobody is.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_database`] if the database fails.
    pub fn run(&self) -> Result<Option<SharedRun>, TaskError> {
        let mut session = self.session();
        if !session.run(state::exists)? {
            return Ok(None);
        }
        Ok(session.run(|conn| {
            let Stored::Run(run) = state::load(conn)? else { return Ok(None) };
            Ok(SharedRun::of(&run, state::now(conn)?))
        })?)
    }

    /// The bad values that were recorded: those of the columns of the last run, and of earlier ones that had others.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_refused`] if nothing was ever recorded, because the task never ran here or works
    /// [stateless](crate::reencrypt::Task::stateless); [`TaskError::is_database`] if the database fails.
    pub fn problems(&self) -> Result<RecordedProblems, TaskError> {
        let mut session = self.session();
        if !session.run(state::exists)? {
            return Err(Refusal::NothingRecorded.into());
        }
        let recorded = session.run(|conn| {
            let Stored::Run(run) = state::load(conn)? else { return Ok(None) };
            Ok(Some((run, state::problems(conn, None)?)))
        })?;
        let Some((run, problems)) = recorded else { return Err(Refusal::NothingRecorded.into()) };
        let problems = problems.and_omitted(run.ending().map_or(0, |ending| ending.omitted));
        let omitted = problems.omitted();
        let moment = run.ending().map(|ending| ending.proof.moment);
        Ok(RecordedProblems { problems: problems.into_listed(), omitted, moment })
    }

    fn ask(&self, change: impl Fn(&mut Run)) -> Result<SharedRun, TaskError> {
        let mut session = self.session();
        if !session.run(state::exists)? {
            return Err(Refusal::NobodyAtWork.into());
        }
        let asked: Result<SharedRun, Refusal> = session.patiently(|conn| {
            conn.transaction(|conn| -> QueryResult<_> {
                state::lock(conn)?;
                let now = state::now(conn)?;
                let mut run = match state::load(conn)? {
                    Stored::Run(run) => run,
                    Stored::Foreign => return Ok(Err(Refusal::ForeignRun)),
                    Stored::Nothing => return Ok(Err(Refusal::NobodyAtWork)),
                };
                change(&mut run);
                let Some(shared) = SharedRun::of(&run, now) else { return Ok(Err(Refusal::NobodyAtWork)) };
                state::save(conn, &run)?;
                Ok::<_, DieselError>(Ok(shared))
            })
        })?;
        asked.map_err(TaskError::from)
    }

    fn session(&self) -> Session<'a, C> {
        Session::new(self.pool, self.give_up_after, StopHandle::default())
    }
}

impl SharedRun {
    fn of(run: &Run, now: Moment) -> Option<Self> {
        let processes: Vec<String> = run.alive(now).map(str::to_owned).collect();
        let is_at_work = !processes.is_empty() && !run.is_over();
        let (job, started, pass, is_paused) = (run.scope.job, run.started, run.pass, run.is_paused());
        is_at_work.then_some(Self { processes, job, started, pass, is_paused })
    }
}
