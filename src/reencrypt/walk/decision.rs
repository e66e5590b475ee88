//! Decides what to write in place of a row's values.

use crate::database::{Cell, Change, Failure, PlannedColumn, PlannedTable, Row, Swap};
use crate::fields::Array;
use crate::keys::{Rotation, Sealer};
use crate::reencrypt::report::{Content, Job, Place, Standing, Verdict};

/// The change that does the job on a row, if the row needs one. Reports to `see` what every cell holds.
pub(crate) fn decide(
    row: &Row,
    table: &PlannedTable,
    job: Job,
    rotation: &mut Rotation<'_>,
    now: u64,
    mut see: impl FnMut(Place, Option<&Verdict>),
) -> Result<Option<Change>, Failure> {
    let mut swaps = Vec::with_capacity(row.cells.len());
    for (index, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
        let is_exempt = row.is_exempt(index);
        let mut decide = |cell: Option<&Cell>, place: Place| {
            let verdict = cell.map(|cell| Verdict::of(cell, column, job, is_exempt, &mut rotation.opener));
            see(place, verdict.as_ref());
            cell.zip(verdict)
                .map_or(Ok(None), |(cell, verdict)| replacement(cell, column, verdict, job, &mut rotation.sealer, now))
        };
        let new = match Content::of(cell.as_ref(), column) {
            Content::Value(cell) => decide(cell, Place::cell(index))?.map(|new| (new, 1)),
            Content::Array(array) => decide_array(&array, column, index, decide)?,
            Content::Unknown => {
                see(Place::cell(index), Some(&Verdict::Unreadable));
                None
            }
        };
        swaps.push(cell.clone().zip(new).map(|(old, (new, values))| Swap { old, new, values }));
    }
    let is_needed = swaps.iter().any(Option::is_some);
    Ok(is_needed.then(|| Change { key: row.key.clone(), swaps }))
}

/// The array with a new value in the place of each element that the job has to write, and the number of these elements.
fn decide_array(
    array: &Array<'_>,
    column: &PlannedColumn,
    index: usize,
    mut decide: impl FnMut(Option<&Cell>, Place) -> Result<Option<Cell>, Failure>,
) -> Result<Option<(Cell, u64)>, Failure> {
    let cell = |bytes: &[u8]| Cell::new(bytes.to_vec(), column.is_text);
    let old: Vec<Option<Cell>> = array.elements().iter().map(|element| element.map(cell)).collect();
    let decide = |(position, old): (usize, &Option<Cell>)| decide(old.as_ref(), Place::element(index, array, position));
    let new: Vec<Option<Cell>> = old.iter().enumerate().map(decide).collect::<Result<_, _>>()?;
    let values = new.iter().flatten().count() as u64;
    let merged = new.iter().zip(&old).map(|(new, old)| Some(new.as_ref().or(old.as_ref())?.bytes.as_slice()));
    let array = array.with(merged.collect());
    // A statement cannot write text that is not UTF-8. The values are left, so nothing is proven.
    let is_writable =
        !column.is_text || array.elements().iter().flatten().all(|text| std::str::from_utf8(text).is_ok());
    Ok((values > 0 && is_writable).then(|| (Cell::new(array.to_bytes(), column.is_text), values)))
}

/// The value to write in the place of another one, if the job has to write one.
fn replacement(
    old: &Cell,
    column: &PlannedColumn,
    verdict: Verdict,
    job: Job,
    sealer: &mut Sealer<'_>,
    now: u64,
) -> Result<Option<Cell>, Failure> {
    if verdict.standing(job) != Standing::Left {
        return Ok(None);
    }
    let mut seal = |plaintext, timestamp| sealer.seal(plaintext, timestamp).ok_or_else(unreadable_seal);
    Ok(Some(match verdict {
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
    }))
}

fn unreadable_seal() -> Failure {
    Failure::internal("a value that was just encrypted cannot be read back, so the row was not written")
}
