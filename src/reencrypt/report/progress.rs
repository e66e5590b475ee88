//! The progress of a task.

use std::time::Duration;

/// The progress of a running task, which [`Task::on_progress`](crate::reencrypt::Task::on_progress) gets ten times a
/// second.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The current pass, counted from 1.
    pub pass: u32,
    /// Whether the task is reading everything once more for the proof.
    pub is_proving: bool,
    /// The table that is being read.
    pub table: String,
    /// Rows read in this pass, of all tables. This and the other numbers do not include other processes.
    pub rows: u64,
    /// Rows that other processes of the run, or earlier ones, had read in this pass when this process joined.
    pub rows_before: u64,
    /// Rows of all tables; `None` if the database cannot estimate them.
    pub rows_estimated: Option<u64>,
    /// One entry per table.
    pub tables: Vec<TableProgress>,
    /// Rows read in all passes, and for the proof.
    pub rows_read: u64,
    /// Values rewritten, in all passes.
    pub rewritten: u64,
    /// Problems found in this pass.
    pub bad: u64,
    /// Why the task waits at the moment, in words for the operator.
    pub waits_for: Option<String>,
    /// Time since the task started.
    pub elapsed: Duration,
}

/// Why a task waits after [`Control::pause`](crate::reencrypt::Control::pause).
pub(crate) const PAUSED: &str = "paused: Control::resume lets it continue";

/// How the reasons that only slow a task down begin, or what they contain.
pub(crate) const NICE: &str = "nice ";
pub(crate) const RATE: &str = " rows/s";

impl Progress {
    /// Whether the task is paused on request, until [`Control::resume`](crate::reencrypt::Control::resume).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.waits_for.as_deref() == Some(PAUSED)
    }

    /// Whether the task does nothing until the reason to wait is gone. A limit of the rate only slows it down.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        let slows = |reason: &str| reason.starts_with(NICE) || reason.contains(RATE);
        self.waits_for.as_deref().is_some_and(|reason| !slows(reason))
    }
}

/// How far a running task is with one table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableProgress {
    /// The table, with its schema.
    pub table: String,
    /// Rows read in this pass.
    pub rows: u64,
    /// Rows of the table; `None` if the database cannot estimate them.
    pub rows_estimated: Option<u64>,
}

/// A function to call with the progress of a task.
pub(crate) type Observer<'a> = Box<dyn FnMut(&Progress) + Send + 'a>;
