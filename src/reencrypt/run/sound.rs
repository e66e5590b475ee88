//! Whether a record can be one of this run. Whoever may write to the tables of the task may have changed it.
//!
//! A changed record can make processes do work twice, or do nothing. It must not make them panic, or wait for ever. What
//! they report as proven carries a [signature](crate::reencrypt::run::signature).

use crate::database::{Dialect, Plan, RowFormat};
use crate::reencrypt::report::{Tally, Written};
use crate::reencrypt::run::claim::{ClaimProgress, LEFT, Range};
use crate::reencrypt::run::rules::{PASSES, Phase, Run};

/// No table has more values, and no run more claims. Sums of such numbers do not overflow.
pub(crate) const MOST: u64 = 1 << 48;

/// What records of a run on this plan have in common.
pub(crate) struct Shape {
    /// The number of columns of the row key, and of encrypted columns, for each table.
    tables: Vec<(usize, usize)>,
    keys: usize,
}

impl Shape {
    pub(crate) fn new(plan: &Plan, keys: usize) -> Self {
        Self { tables: plan.tables().iter().map(|table| (table.row_key.len(), table.columns.len())).collect(), keys }
    }

    /// Whether every part of the run belongs to this plan.
    pub(crate) fn fits<DB: Dialect>(&self, run: &Run) -> bool {
        let columns: usize = self.tables.iter().map(|(_, columns)| columns).sum();
        let phase = match &run.phase {
            Phase::Walk | Phase::Prove(None) => true,
            Phase::Prove(Some(holder)) => holder.claim <= MOST,
            Phase::Ended(ending) => self.are_tallies(&ending.tallies, columns) && ending.omitted <= MOST,
        };
        let held = run.chunks.iter().filter_map(|(_, holder)| holder);
        phase
            && (1..=PASSES).contains(&run.pass)
            && run.claims <= MOST
            && held.map(|holder| holder.claim).all(|claim| claim <= MOST)
            && run.chunks.iter().all(|(range, _)| self.is_range::<DB>(range))
            && run.left.iter().all(|range| self.is_range::<DB>(range))
            && self.are_tallies(&run.tallies, columns)
            && are_written(&run.written, columns)
            && run.busy.len() == columns
            && run.busy.iter().all(|busy| *busy <= MOST)
    }

    /// Whether the progress of a claim belongs to this table.
    pub(crate) fn fits_progress<DB: Dialect>(&self, progress: &ClaimProgress, table: usize) -> bool {
        let Some(&(key, columns)) = self.tables.get(table) else { return false };
        let is_at = progress.at.as_ref().is_none_or(|at| at.len() == key && at.iter().all(DB::is_key));
        // A claim that has not recorded any progress has no tallies.
        let is_empty = progress.tallies.is_empty() && progress.written.is_empty();
        let has_all = self.are_tallies(&progress.tallies, columns) && are_written(&progress.written, columns);
        let left = progress.left.len() <= LEFT && progress.left.iter().all(|range| self.is_range::<DB>(range));
        is_at && (is_empty || has_all) && left
    }

    fn is_range<DB: RowFormat>(&self, range: &Range) -> bool {
        let Some(&(key, _)) = self.tables.get(range.table) else { return false };
        let bounds = [&range.after, &range.until];
        bounds.into_iter().flatten().all(|bound| bound.len() == key && bound.iter().all(DB::is_key))
    }

    fn are_tallies(&self, tallies: &[Tally], columns: usize) -> bool {
        let is_sound = |tally: &Tally| {
            let counts = [tally.null, tally.plaintext, tally.unreadable, tally.withheld, tally.misshapen, tally.exempt];
            let counts = counts.iter().chain([&tally.wrapped]).chain(&tally.keys).chain(&tally.held);
            // The document leaves the list out where it was never needed.
            let has_keys = tally.keys.len() == self.keys && [0, self.keys].contains(&tally.held.len());
            has_keys && counts.into_iter().all(|count| *count <= MOST) && tally.further <= tally.cells()
        };
        tallies.len() == columns && tallies.iter().all(is_sound)
    }
}

fn are_written(written: &[Written], columns: usize) -> bool {
    let is_sound =
        |written: &Written| [written.rewritten, written.raced, written.busy].iter().all(|count| *count <= MOST);
    written.len() == columns && written.iter().all(is_sound)
}
