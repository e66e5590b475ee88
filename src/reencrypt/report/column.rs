//! What a task did to one column.

use serde::Serialize;

use crate::database::Plan;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::tally::{Tally, Written};

/// What a task did to one column.
///
/// `scanned`, `current`, `null` and `bad` come from the last time that the task read everything. After a proof,
/// `scanned = current + exempt + null + bad`. `busy` is the count of the last pass. `rewritten` and `raced` are sums over all
/// passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// Rows read. In an array column, each element counts on its own.
    pub scanned: u64,
    /// Values written.
    pub rewritten: u64,
    /// Values that needed no change when they were read: under the primary key, or plaintext after
    /// [`Job::Decrypt`].
    pub current: u64,
    /// Plaintext in rows in which [you declared it to be right](crate::reencrypt::Task::plaintext_where).
    pub exempt: u64,
    /// The condition for these rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plaintext_where: Option<String>,
    /// `NULL`s, and arrays without elements.
    pub null: u64,
    /// Writes that came too late because the application had changed the value. The task read it again.
    pub raced: u64,
    /// Values that could not be written, because their row stayed locked or the database refused the change.
    pub busy: u64,
    /// Values that the task had to leave unchanged.
    pub bad: u64,
}

impl ColumnReport {
    /// Values that still needed a change when the task last read everything.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.scanned - self.null - self.current - self.exempt - self.bad
    }

    pub(crate) fn all(job: Job, plan: &Plan, tallies: &[Tally], written: &[Written], busy: &[u64]) -> Vec<Self> {
        let counts = tallies.iter().zip(written).zip(busy);
        plan.columns()
            .zip(counts)
            .map(|((table, column), ((tally, written), busy))| Self {
                table: table.name.to_string(),
                column: column.name.clone(),
                scanned: tally.cells(),
                rewritten: written.rewritten,
                current: tally.done(job),
                exempt: tally.exempt,
                plaintext_where: column.plaintext_where.clone(),
                null: tally.null,
                raced: written.raced,
                busy: *busy,
                bad: tally.bad(job),
            })
            .collect()
    }
}
