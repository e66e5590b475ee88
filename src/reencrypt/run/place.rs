//! The operations of the two places in which a run can be kept: memory, and the tables of the task.

use diesel::result::QueryResult;

use crate::database::{Checkpoint, Moment, Plan, Session, TaskConnection};
use crate::reencrypt::report::{Ending, Problem, Problems, TaskError};
use crate::reencrypt::run::claim::{ClaimNumber, ClaimProgress};
use crate::reencrypt::run::rules::{Asked, Run};

/// A change of the run, with the time and a connection in the same transaction.
pub(crate) type Update<'a, C> = dyn FnMut(&mut Run, Moment, &mut C) -> QueryResult<()> + 'a;

/// Where a run is kept. The defaults are for a run that has no tables.
pub(crate) trait Place<C: TaskConnection>: Send + Sync {
    /// Changes the run while nobody else can. `change` must be safe to repeat.
    fn update(&self, session: &mut Session<'_, C>, change: &mut Update<'_, C>) -> Result<(), TaskError>;

    /// Whether long ranges are split, so that several workers can share them.
    fn splits_ranges(&self) -> bool;

    /// Begins the work under a claim.
    fn open(&self, _conn: &mut C, _claim: ClaimNumber) -> QueryResult<()> {
        Ok(())
    }

    /// Ends the work under a claim on this table and returns its last progress, if it was recorded.
    fn close(&self, _conn: &mut C, _claim: ClaimNumber, _table: usize) -> QueryResult<Option<ClaimProgress>> {
        Ok(None)
    }

    /// The checkpoint that every write under a claim records; `None` if writes record nothing.
    fn checkpoint(&self, _claim: ClaimNumber, _progress: &ClaimProgress) -> QueryResult<Option<Checkpoint>> {
        Ok(None)
    }

    /// The last request of the operators to the process.
    fn asked(&self, _session: &mut Session<'_, C>, _process: &str) -> Result<Asked, TaskError> {
        Ok(Asked::Run)
    }

    /// Whether a process of this run wrote the ending, after this process had joined.
    fn believes(&self, _ending: &Ending) -> bool {
        true
    }

    /// Records problems for [`recorded`](Place::recorded).
    fn record(&self, _session: &mut Session<'_, C>, _problems: &[Problem]) -> Result<(), TaskError> {
        Ok(())
    }

    /// Replaces all recorded problems.
    fn replace(&self, _conn: &mut C, _plan: &Plan, _problems: &[Problem]) -> QueryResult<()> {
        Ok(())
    }

    fn recorded(&self, _session: &mut Session<'_, C>, _plan: &Plan) -> Result<Problems, TaskError> {
        Ok(Problems::default())
    }
}
