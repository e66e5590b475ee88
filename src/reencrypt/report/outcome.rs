//! What a task did and found.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::keys::Fingerprint;
use crate::reencrypt::report::column::ColumnReport;
use crate::reencrypt::report::doubt::Doubt;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::problem::{Problem, Problems};
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::time;

/// What a [`Task`](crate::reencrypt::Task) did and found.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a report may say that nothing was proven"]
pub struct Report {
    pub(crate) job: Job,
    pub(crate) outcome: Outcome,
    pub(crate) primary: Fingerprint,
    pub(crate) passes: u32,
    pub(crate) columns: Vec<ColumnReport>,
    pub(crate) problems: Problems,
    pub(crate) proof: Option<Proof>,
    pub(crate) doubt: Option<Doubt>,
    pub(crate) time_limit: Option<Duration>,
}

impl Report {
    /// What the task was asked to do with the values.
    #[must_use]
    pub fn job(&self) -> Job {
        self.job
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the old keys may be removed from the keyring, because the [job](Report::job) [is
    /// proven](Report::is_proven) to be done without any [problem](Report::problems). Before you remove them, make sure
    /// that no process encrypts with them any more.
    ///
    /// After [`Job::Reencrypt`] and [`Job::Encrypt`], the old keys are the secondary keys. After [`Job::Decrypt`] no
    /// value needs any key.
    #[must_use]
    pub fn old_keys_may_go(&self) -> bool {
        self.is_proven() && self.problems.count() == 0
    }

    /// Whether it is proven that the [job](Report::job) is done, except for the values that are listed as
    /// [problems](Report::problems). A dry run proves nothing.
    ///
    /// Those values may still need an old key. [`old_keys_may_go`](Report::old_keys_may_go) takes them into account.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.outcome == Outcome::Proven && self.proof.is_some()
    }

    /// The primary key of the task's keyring.
    #[must_use]
    pub fn primary(&self) -> Fingerprint {
        self.primary
    }

    /// How many passes over the targets the run took.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// One entry per column.
    #[must_use]
    pub fn columns(&self) -> &[ColumnReport] {
        &self.columns
    }

    /// The first 10,000 values that the task had to leave unchanged.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.problems.listed()
    }

    /// How many more problems there are.
    #[must_use]
    pub fn problems_omitted(&self) -> u64 {
        self.problems.omitted()
    }

    /// The proof of the outcome; `None` if the task did not get that far.
    #[must_use]
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// The [maximum run time](crate::reencrypt::Task::max_runtime), if it has stopped the task.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// Why the job is not proven to be done although everything was read.
    #[must_use]
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// No value is left to write, and no open transaction can add one.
    Proven,
    /// Everything was read, but values are left to write. It was a dry run, rows stay locked, or a program still
    /// writes values that the job removes.
    Incomplete,
    /// The task was stopped on request.
    Stopped,
    /// The task could not continue; see the [error](crate::reencrypt::TaskError) that carries this report.
    Failed,
}

/// Every value, read from one snapshot of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Proof {
    /// The proof covers everything that was committed by this time, on the clock of the database.
    #[serde(serialize_with = "time::serialize")]
    pub moment: SystemTime,
    /// How many values were read, not counting `NULL`s.
    pub values: u64,
}

/// How a run ended, for all processes that took part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    #[serde(with = "StoredProof")]
    pub(crate) proof: Proof,
    pub(crate) doubt: Option<Doubt>,
    pub(crate) tallies: Vec<Tally>,
    /// Problems that were recorded. If fewer are found later, somebody has deleted some.
    #[serde(default)]
    pub(crate) listed: u64,
    /// Problems that were not recorded, because there were too many.
    pub(crate) omitted: u64,
    /// The signature of the process that has read everything.
    #[serde(default)]
    pub(crate) signature: String,
}

/// A proof in the tables of the task.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Proof")]
struct StoredProof {
    #[serde(with = "time::milliseconds")]
    moment: SystemTime,
    values: u64,
}
