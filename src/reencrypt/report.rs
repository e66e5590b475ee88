//! What a task did and found.

use std::fmt;

use super::table::PlannedTable;
use super::tally::{Tally, Written};
use crate::key::Fingerprint;

/// The most problems that a report lists one by one, so that its size does not grow with the table.
const LISTED: usize = 10_000;

/// What a [`Task`](super::Task) did and found.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a report may say that nothing was proven"]
pub struct Report {
    pub(super) outcome: Outcome,
    pub(super) primary: Fingerprint,
    pub(super) passes: u32,
    pub(super) columns: Vec<ColumnReport>,
    pub(super) problems: Problems,
}

impl Report {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the last pass found no token under a secondary key. The values listed as
    /// [problems](Report::problems) are the only ones that are not under the primary key.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.outcome == Outcome::Proven
    }

    /// The key under which the values are.
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

    /// The values that are not readable tokens, the first 10,000.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems.listed
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
    /// The last pass found no token under a secondary key.
    Proven,
    /// Everything was walked, but tokens under secondary keys are left: a dry run, rows that stay locked, or somebody
    /// who still writes with an old primary key.
    Incomplete,
    /// Stopped on request.
    Stopped,
    /// The database failed; see the [error](super::TaskError) that carries this report.
    Failed,
}

/// What was done to one column.
///
/// `scanned`, `current`, `null`, `busy` and `bad` are of the last pass, so that after a proof
/// `scanned = current + null + bad`. `rewritten` and `raced` are sums over all passes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnReport {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// Rows read.
    pub scanned: u64,
    /// Values written anew under the primary key.
    pub rewritten: u64,
    /// Values that were under the primary key already when they were read.
    pub current: u64,
    /// `NULL`s.
    pub null: u64,
    /// Writes that came too late because the application had changed the value; it was read again.
    pub raced: u64,
    /// Values that could not be written, because their row stayed locked or the database refused the change.
    pub busy: u64,
    /// Values that are not readable tokens.
    pub bad: u64,
}

impl ColumnReport {
    pub(super) fn all(tables: &[PlannedTable], tallies: &[Tally], written: &[Written], busy: &[Written]) -> Vec<Self> {
        let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let counts = tallies.iter().zip(written).zip(busy);
        columns
            .zip(counts)
            .map(|((table, column), ((tally, written), busy))| Self {
                table: table.name.to_string(),
                column: column.name.clone(),
                scanned: tally.rows(),
                rewritten: written.rewritten,
                current: tally.current(),
                null: tally.null,
                raced: written.raced,
                busy: busy.busy,
                bad: tally.bad(),
            })
            .collect()
    }
}

/// A value that is not a readable token. It was left as it is.
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
}

/// `plaintext` or `unreadable`
impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "plaintext",
            Self::Unreadable => "unreadable",
        })
    }
}

/// Problems in a bounded list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Problems {
    listed: Vec<Problem>,
    omitted: u64,
}

impl Problems {
    pub(super) fn add(&mut self, problem: impl FnOnce() -> Problem) {
        if self.listed.len() < LISTED { self.listed.push(problem()) } else { self.omitted += 1 }
    }

    /// In an order that does not depend on which worker came first.
    pub(super) fn sort(&mut self) {
        self.listed.sort();
    }
}
