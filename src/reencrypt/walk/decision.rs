//! Decides what to write in place of a row's values.

use crate::database::{Cell, Change, Failure, PlannedTable, Row, Swap};
use crate::keys::Rotation;
use crate::reencrypt::report::{Job, Standing, Verdict};

/// The change that does the job on a row, if the row needs one. Reports to `see` what every cell holds.
pub(crate) fn decide(
    row: &Row,
    table: &PlannedTable,
    job: Job,
    rotation: &mut Rotation<'_>,
    now: u64,
    mut see: impl FnMut(usize, Option<&Verdict>),
) -> Result<Option<Change>, Failure> {
    let mut swaps = Vec::with_capacity(row.cells.len());
    for (index, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
        let is_exempt = row.is_exempt(index);
        let verdict = cell.as_ref().map(|cell| Verdict::of(cell, column, job, is_exempt, &mut rotation.opener));
        see(index, verdict.as_ref());
        let left = verdict.filter(|verdict| verdict.standing(job) == Standing::Left);
        let (Some(old), Some(verdict)) = (cell, left) else {
            swaps.push(None);
            continue;
        };
        let sealer = &mut rotation.sealer;
        let mut seal = |plaintext, timestamp| sealer.seal(plaintext, timestamp).ok_or_else(unreadable_seal);
        let new = match verdict {
            Verdict::Token { plaintext, .. } if job == Job::Decrypt => Cell::new(plaintext.to_vec(), column.is_text),
            // The token keeps its form, because other programs may read this column.
            Verdict::Token { timestamp, plaintext, .. } => {
                let sealed = seal(plaintext, timestamp)?;
                let bytes = if old.holds_text() { sealed.into_text().into_bytes() } else { sealed.into_raw() };
                Cell::new(bytes, old.is_text)
            }
            _ => {
                let sealed = seal(&old.bytes, now)?;
                let bytes = if column.is_text { sealed.into_text().into_bytes() } else { sealed.into_raw() };
                Cell::new(bytes, column.is_text)
            }
        };
        swaps.push(Some(Swap { old: old.clone(), new }));
    }
    let is_needed = swaps.iter().any(Option::is_some);
    Ok(is_needed.then(|| Change { key: row.key.clone(), swaps }))
}

fn unreadable_seal() -> Failure {
    Failure::internal("a value that was just encrypted cannot be read back, so the row was not written")
}
