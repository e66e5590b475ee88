//! Requests to all processes of a run: pause, resume, stop, and show the problems that they found.

use diesel::r2d2::{ConnectionManager, Pool};
use diesel::result::{Error as DieselError, QueryResult};
use serde::Serialize;
use std::time::{Duration, SystemTime};

use crate::database::{Moment, Session, StopHandle, TaskConnection};
use crate::reencrypt::report::status::as_text;
use crate::reencrypt::report::{Job, Problem, Refusal, TaskError, time};
use crate::reencrypt::run::state::now;
use crate::reencrypt::run::{Run, State, Stored};

/// Pauses, resumes or stops all processes that work on a database, through the tables of the task.
///
/// Each process looks for requests there about once a second, wherever it runs. A
/// [stateless](crate::reencrypt::Task::stateless) task does not.
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
///     Ok(run) => println!("paused: {}", run.processes.join(", ")),
///     Err(error) if error.is_refused() => println!("{error}"), // no process is running
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is requested until you call one of the methods"]
pub struct Control<'a, C: TaskConnection> {
    pool: &'a Pool<ConnectionManager<C>>,
    give_up_after: Duration,
}

/// A run on which processes are working.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SharedRun {
    /// The processes that are alive: `host:process-random`.
    pub processes: Vec<String>,
    /// What they do with the values.
    #[serde(serialize_with = "as_text")]
    pub job: Job,
    /// When the first of them began, on the clock of the database.
    #[serde(serialize_with = "time::serialize")]
    pub started: SystemTime,
    /// Their current pass over the targets, counted from 1.
    pub pass: u32,
    /// Whether they are paused on request.
    pub is_paused: bool,
}

/// The values that the task had to leave unchanged, as it recorded them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedProblems {
    /// The first 10,000.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: u64,
    /// The time of the last proof, on the clock of the database. `None` if the last run is not finished: then there may
    /// be more problems. Values that were repaired since are still listed.
    pub moment: Option<SystemTime>,
}

impl<'a, C: TaskConnection> Control<'a, C> {
    /// Sends requests to the processes that work on the database of this pool.
    pub fn new(pool: &'a Pool<ConnectionManager<C>>) -> Self {
        Self { pool, give_up_after: Duration::from_secs(10) }
    }

    /// Sets for how long a failing database is tried again. The default is ten seconds.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Pauses all running processes, and processes that join them, until you [resume](Control::resume) them.
    ///
    /// If a process is reading for the proof, it gives up and starts again later. The pause ends when the last of the
    /// processes ends: it does not apply to a run that is started later.
    ///
    /// # Errors
    ///
    /// [`Refusal::NothingRunning`] if no process is running, [`TaskError::is_database`] if the database fails.
    pub fn pause(&self) -> Result<SharedRun, TaskError> {
        self.ask(|run| run.is_paused = true)
    }

    /// Lets the processes continue after a [pause](Control::pause).
    ///
    /// # Errors
    ///
    /// As [`pause`](Control::pause).
    pub fn resume(&self) -> Result<SharedRun, TaskError> {
        self.ask(|run| run.is_paused = false)
    }

    /// Ends all running processes, each after its current batch. A process that is started later continues their work.
    ///
    /// # Errors
    ///
    /// As [`pause`](Control::pause).
    pub fn stop(&self) -> Result<SharedRun, TaskError> {
        self.ask(|run| run.processes.stop())
    }

    /// Returns the run on which processes are working; `None` if no process is running.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_database`] if the database fails.
    pub fn run(&self) -> Result<Option<SharedRun>, TaskError> {
        let Some((mut session, state)) = self.session()? else { return Ok(None) };
        Ok(session.run(|conn| {
            let Stored::Run(run) = state.load(conn)? else { return Ok(None) };
            Ok(SharedRun::of(&run, now(conn)?))
        })?)
    }

    /// Returns the problems that the last run has recorded, and the problems of earlier runs in other columns.
    ///
    /// # Errors
    ///
    /// [`Refusal::NothingRecorded`] if nothing was ever recorded, because the task never ran here or was
    /// [stateless](crate::reencrypt::Task::stateless); [`TaskError::is_database`] if the database fails.
    pub fn problems(&self) -> Result<RecordedProblems, TaskError> {
        let Some((mut session, state)) = self.session()? else { return Err(Refusal::NothingRecorded.into()) };
        let recorded = session.run(|conn| {
            let Stored::Run(run) = state.load(conn)? else { return Ok(None) };
            Ok(Some((run, state.problems(conn, None)?)))
        })?;
        let Some((run, problems)) = recorded else { return Err(Refusal::NothingRecorded.into()) };
        let problems = problems.and_omitted(run.ending().map_or(0, |ending| ending.omitted));
        let omitted = problems.omitted();
        let moment = run.ending().map(|ending| ending.proof.moment);
        Ok(RecordedProblems { problems: problems.into_listed(), omitted, moment })
    }

    fn ask(&self, change: impl Fn(&mut Run)) -> Result<SharedRun, TaskError> {
        let Some((mut session, state)) = self.session()? else { return Err(Refusal::NothingRunning.into()) };
        let asked: Result<SharedRun, Refusal> = session.patiently(|conn| {
            conn.transaction(|conn| -> QueryResult<_> {
                let (now, stored) = state.lock(conn)?;
                let mut run = match stored {
                    Stored::Run(run) => run,
                    Stored::Foreign => return Ok(Err(Refusal::ForeignRun)),
                    Stored::Nothing => return Ok(Err(Refusal::NothingRunning)),
                };
                change(&mut run);
                let Some(shared) = SharedRun::of(&run, now) else { return Ok(Err(Refusal::NothingRunning)) };
                state.save(conn, &run)?;
                Ok::<_, DieselError>(Ok(shared))
            })
        })?;
        asked.map_err(TaskError::from)
    }

    /// A session and the tables of the task, if they exist.
    fn session(&self) -> Result<Option<(Session<'a, C>, State)>, TaskError> {
        let mut session = Session::new(self.pool, self.give_up_after, StopHandle::default());
        Ok(State::find(&mut session)?.map(|state| (session, state)))
    }
}

impl SharedRun {
    fn of(run: &Run, now: Moment) -> Option<Self> {
        let processes: Vec<String> = run.processes.alive(now).map(str::to_owned).collect();
        let is_running = !processes.is_empty() && !run.is_over();
        is_running.then(|| Self {
            processes,
            job: run.scope.job,
            started: time::of_moment(run.started),
            pass: run.pass,
            is_paused: run.is_paused,
        })
    }
}
