//! What a task did and found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::database::moment;
use crate::database::plan::Plan;
use crate::keys::key::Fingerprint;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::tally::{Tally, Written};

/// The most problems that a report lists one by one, so that its size does not grow with the table.
pub(crate) const LISTED: usize = 10_000;

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
}

impl Report {
    /// What the task was to make of the values.
    #[must_use]
    pub fn job(&self) -> Job {
        self.job
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it is proven that the [job](Report::job) is done: no value is left under a secondary key, as plaintext, or
    /// as a token. The values listed as [problems](Report::problems) are the only exceptions. A dry run proves nothing.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.outcome == Outcome::Proven && self.proof.is_some()
    }

    /// The primary key of the task's keyring.
    #[must_use]
    pub fn primary(&self) -> Fingerprint {
        self.primary
    }

    /// Walks over the targets.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// One entry per column.
    #[must_use]
    pub fn columns(&self) -> &[ColumnReport] {
        &self.columns
    }

    /// The values that had to stay as they are, the first 10,000.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems.listed
    }

    /// The reading of everything on which the outcome rests; `None` if it did not come to that.
    #[must_use]
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// Why it is not proven that the work is finished, if everything was walked.
    #[must_use]
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// How many more problems there are than are listed.
    #[must_use]
    pub fn problems_omitted(&self) -> u64 {
        self.problems.omitted
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// No value is left to be written, and none can come from a transaction that was open.
    Proven,
    /// Everything was walked, but values are left to be written: a dry run, rows that stay locked, or somebody who still
    /// writes with an old primary key, plaintext, or tokens that were to go.
    Incomplete,
    /// Stopped on request.
    Stopped,
    /// It could not go on; see the [error](crate::reencrypt::TaskError) that carries this report.
    Failed,
}

/// The reading of every value on one snapshot of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proof {
    /// What was committed by then was read: milliseconds since 1970, on the clock of the database.
    pub moment: u64,
    /// The values that were read, `NULL`s left out.
    pub values: u64,
}

/// Why a task that walked everything has not proven that it is finished. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Doubt {
    /// So many values are still under secondary keys.
    Left(u64),
    /// So many values are still plaintext.
    LeftPlaintext(u64),
    /// So many values are still tokens.
    LeftTokens(u64),
    /// A token under a secondary key is dated after the task began: seconds since 1970.
    OldPrimary(u64),
    /// A token that was to become plaintext is dated after the task began: seconds since 1970.
    StillEncrypting(u64),
    /// Transactions that began before the last reading are still open. They may have written what it could not see.
    Open(Vec<String>),
    /// The database does not tell which transactions are open.
    Blind(String),
}

impl Doubt {
    /// Why it is not finished, if values are left to be written.
    pub(crate) fn left(job: Job, tallies: &[Tally]) -> Option<Self> {
        let sum = |count: &dyn Fn(&Tally) -> u64| tallies.iter().map(count).sum();
        match (job, sum(&|tally| tally.left(job)), sum(&|tally| tally.plaintext)) {
            (_, 0, _) => None,
            (Job::Encrypt, _, plaintext @ 1..) => Some(Self::LeftPlaintext(plaintext)),
            (Job::Reencrypt | Job::Encrypt, left, _) => Some(Self::Left(left)),
            (Job::Decrypt, left, _) => Some(Self::LeftTokens(left)),
        }
    }

    /// That somebody wrote a token of this date, which is later than the task began, and is to be written anew.
    pub(crate) fn written_later(job: Job, date: u64) -> Self {
        match job {
            Job::Reencrypt | Job::Encrypt => Self::OldPrimary(date),
            Job::Decrypt => Self::StillEncrypting(date),
        }
    }

    /// Whether another pass can help.
    pub(crate) fn is_left(&self) -> bool {
        matches!(self, Self::Left(_) | Self::LeftPlaintext(_) | Self::LeftTokens(_))
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(values) => write!(
                f,
                "{values} values are left under secondary keys: rows that stay locked, or that the database refuses to \
                 change. See the list, end what holds them, and run it again"
            ),
            Self::LeftPlaintext(values) => write!(
                f,
                "{values} values are still plaintext: somebody writes plaintext, rows stay locked, or the database refuses \
                 to change them. Give every instance of the application the model that writes tokens, see the list, end \
                 what holds the rows, and run it again"
            ),
            Self::LeftTokens(values) => write!(
                f,
                "{values} values are still tokens: somebody writes tokens, rows stay locked, or the database refuses to \
                 change them, as a guard does. Give every instance of the application the model that writes plaintext, \
                 see the list, end what holds the rows, and run it again"
            ),
            Self::StillEncrypting(date) => write!(
                f,
                "somebody wrote a token after the task began: one is dated {}. Give every instance of the application the \
                 model that writes plaintext, then run it again",
                moment::date(*date)
            ),
            Self::OldPrimary(date) => write!(
                f,
                "somebody wrote with an old primary key after the task began: a token under a secondary key is dated \
                 {}. Give every instance of the application the new keyring, then run it again",
                moment::date(*date)
            ),
            Self::Open(transactions) => write!(
                f,
                "transactions that began before the last reading are still open and may have written under an old key: \
                 {}. End them, or wait for them, and run it again",
                transactions.join("; ")
            ),
            Self::Blind(reason) => write!(
                f,
                "the database does not say whether older transactions are still open ({reason}), and they may have \
                 written under an old key. If it is for want of a right, grant it (MariaDB and MySQL: PROCESS), and run it \
                 again"
            ),
        }
    }
}

/// How a run ended, for all processes that took part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) proof: Proof,
    pub(crate) doubt: Option<Doubt>,
    pub(crate) tallies: Vec<Tally>,
    /// Problems that were not recorded, because there are too many.
    pub(crate) omitted: u64,
}

/// What was done to one column.
///
/// `scanned`, `current`, `null` and `bad` are of the last reading of everything, so that after a proof
/// `scanned = current + null + bad`; `busy` is of the last pass. `rewritten` and `raced` are sums over all passes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnReport {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// Rows read.
    pub scanned: u64,
    /// Values written.
    pub rewritten: u64,
    /// Values that were as the job wants them when they were read: under the primary key, or plaintext if that is to be.
    pub current: u64,
    /// `NULL`s.
    pub null: u64,
    /// Writes that came too late because the application had changed the value; it was read again.
    pub raced: u64,
    /// Values that could not be written, because their row stayed locked or the database refused the change.
    pub busy: u64,
    /// Values that had to stay as they are.
    pub bad: u64,
}

impl ColumnReport {
    /// Values that were left to be written when everything was read last.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.scanned - self.null - self.current - self.bad
    }

    pub(crate) fn all(job: Job, plan: &Plan, tallies: &[Tally], written: &[Written], busy: &[u64]) -> Vec<Self> {
        let counts = tallies.iter().zip(written).zip(busy);
        plan.columns()
            .zip(counts)
            .map(|((table, column), ((tally, written), busy))| Self {
                table: table.name.to_string(),
                column: column.name.clone(),
                scanned: tally.rows(),
                rewritten: written.rewritten,
                current: tally.done(job),
                null: tally.null,
                raced: written.raced,
                busy: *busy,
                bad: tally.bad(job),
            })
            .collect()
    }
}

/// A value that was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Problem {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// The row key: `id=7`.
    pub row: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// It does not set out to be a token.
    Plaintext,
    /// A token that is damaged, or whose key is not in the keyring. Fernet cannot tell which.
    Unreadable,
    /// A token that is left, although it was to be written: the row stayed locked, the database refused to change it, or
    /// somebody still writes such tokens.
    Stale,
    /// A token that was to become plaintext, and stays one: what is in it looks like a token itself.
    Nested,
    /// A token in a text column that was to become plaintext, and stays one: what is in it is no text.
    NotText,
}

impl ProblemKind {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Plaintext, "plaintext"),
        (Self::Unreadable, "unreadable"),
        (Self::Stale, "stale"),
        (Self::Nested, "nested"),
        (Self::NotText, "not text"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// `plaintext`, `unreadable`, `stale`, `nested` or `not text`
impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Problems in a bounded list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    omitted: u64,
}

impl Problems {
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.listed.len() < LISTED { self.listed.push(problem) } else { self.omitted += 1 }
    }

    /// Adds those of another list.
    pub(crate) fn extend(&mut self, others: Self) {
        others.listed.into_iter().for_each(|problem| self.add(problem));
        self.omitted += others.omitted;
    }

    /// In an order that does not depend on which worker came first.
    pub(crate) fn sorted(mut self) -> Self {
        self.listed.sort();
        self
    }

    pub(crate) fn listed(&self) -> &[Problem] {
        &self.listed
    }

    pub(crate) fn into_listed(self) -> Vec<Problem> {
        self.listed
    }

    pub(crate) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// As many more.
    pub(crate) fn and_omitted(mut self, more: u64) -> Self {
        self.omitted += more;
        self
    }

    /// A list as it was recorded, of which there are so many in all.
    pub(crate) fn recorded(listed: Vec<Problem>, all: u64) -> Self {
        let omitted = all.saturating_sub(listed.len() as u64);
        Self { listed, omitted }
    }
}
