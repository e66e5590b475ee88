//! A run of the task in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_encrypted::reencrypt::{Progress, Task};
use diesel_encrypted::{Keyring, TableName, Target};

use crate::database::{Connections, Database};

/// The times of a run, from the call to the report, and of its parts.
pub(crate) struct Run {
    pub(crate) whole: Duration,
    /// The time until the end of the first pass, including the planning.
    pub(crate) rewriting: Duration,
    /// The time of the proof.
    pub(crate) proof: Duration,
}

pub(crate) fn task<'a>(keyring: &Arc<Keyring>, workers: usize) -> Task<'a> {
    let target = Target::named(TableName::new("bench_people"), ["email", "ssn"]);
    Task::new(Arc::clone(keyring)).target(target.unwrap()).workers(workers)
}

/// Re-encrypts a table. Every value must be under the other key, and nobody else may write to the table.
pub(crate) fn reencrypt<D: Database>(
    connections: &Connections<D>,
    keyring: &Arc<Keyring>,
    workers: usize,
    mut observe: impl FnMut(&Progress) + Send,
) -> Run {
    let started = Instant::now();
    let mut rewriting = None;
    let task = task(keyring, workers).on_progress(|progress| {
        if progress.is_proving {
            rewriting.get_or_insert_with(|| started.elapsed());
        }
        observe(progress);
    });
    let report = task.run(connections).unwrap();
    let whole = started.elapsed();
    assert!(report.is_proven() && report.passes() == 1, "{report:?}");
    assert!(report.columns().iter().all(|column| column.rewritten == column.scanned), "{report:?}");
    // The observer is first called with `is_proving` when the proof begins.
    let rewriting = rewriting.unwrap();
    Run { whole, rewriting, proof: whole - rewriting }
}
