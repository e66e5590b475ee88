//! What was done and found, and how it is told.

pub(crate) mod error;
pub(crate) mod job;
pub(crate) mod outcome;
pub(crate) mod progress;
pub(crate) mod retire;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod tally;
pub(crate) mod verdict;
