//! Ranges of rows, and the claims under which processes work on them.

use serde::{Deserialize, Serialize};

use crate::database::KeyValue;
use crate::reencrypt::report::{Tally, Written};

/// The most ranges that a pass lists for the next pass. If more are left, the next pass walks whole tables.
pub(crate) const LEFT: usize = 1_000;

/// The number of a claim, unique among all processes. No number is used twice, so the database can refuse a write under
/// a claim that another process has taken over.
pub(crate) type ClaimNumber = u64;

/// The rows of a table after one row key, up to and including another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The position of the table in the plan.
    pub(crate) table: usize,
    pub(crate) after: Option<Vec<KeyValue>>,
    pub(crate) until: Option<Vec<KeyValue>>,
}

/// A range that a worker may work on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) number: ClaimNumber,
    pub(crate) pass: u32,
    pub(crate) range: Range,
}

/// How far the work on a range is, and the counts of what it found and wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClaimProgress {
    /// The row key up to which the work is done.
    pub(crate) at: Option<Vec<KeyValue>>,
    /// One entry per column of the table.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) written: Vec<Written>,
    /// The parts of the range in which rows are left for the next pass.
    pub(crate) left: Vec<Range>,
}

/// All rows of all tables.
pub(crate) fn whole(tables: usize) -> Vec<Range> {
    (0..tables).map(|table| Range { table, after: None, until: None }).collect()
}
