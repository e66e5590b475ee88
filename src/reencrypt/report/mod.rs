//! What a task did and found, why it refuses, and the texts that report it.

pub(crate) mod column;
pub(crate) mod doubt;
pub(crate) mod error;
pub(crate) mod job;
pub(crate) mod outcome;
pub(crate) mod problem;
pub(crate) mod progress;
pub(crate) mod reason;
pub(crate) mod refusal;
pub(crate) mod remedy;
pub(crate) mod retire;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod tally;
pub(crate) mod time;
pub(crate) mod verdict;

pub(crate) use column::ColumnReport;
pub(crate) use doubt::Doubt;
pub(crate) use error::{Cause, TaskError};
pub(crate) use job::Job;
pub(crate) use outcome::{Ending, Outcome, Proof, Report};
pub(crate) use problem::{Problem, ProblemKind, Problems};
pub(crate) use progress::{Observer, Progress, TableProgress};
pub(crate) use refusal::Refusal;
pub(crate) use retire::Retirement;
pub(crate) use status::{ColumnStatus, Status};
pub(crate) use tally::{Tally, Written};
pub(crate) use verdict::{Content, Place, Standing, Verdict};
