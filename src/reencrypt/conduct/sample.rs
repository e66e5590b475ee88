//! Checks on a sample of rows whether the keyring belongs to the data, before anything is written.

use diesel::RunQueryDsl;

use crate::database::{Page, Plan, PlannedTable, Row, Session, TaskConnection};
use crate::keys::{Keyring, Opener};
use crate::reencrypt::report::{Cause, Job, Refusal, Tally, Verdict};
use crate::targets::TableName;

/// The rows sampled at either end of a table.
const SAMPLE: usize = 100;
/// A column with at least this many sampled tokens is judged on its own. The others are judged together.
const COLUMN_SAMPLE: u64 = 100;

/// Refuses a keyring that opens hardly any sampled token: the keyring is wrong, not the rows.
pub(crate) fn check_keyring<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
    job: Job,
    keyring: &Keyring,
) -> Result<(), Cause> {
    let mut opener = Opener::new(keyring);
    let mut tallies: Vec<Tally> = Vec::new();
    for table in plan.tables() {
        let first = tallies.len();
        tallies.resize(first + table.columns.len(), Tally::new(keyring.fingerprints().len()));
        sample(session, table, job, &mut opener, |column, verdict| {
            if let Some(verdict) = verdict {
                tallies[first + column].add(verdict, job, 0);
            }
        })?;
    }
    judge(plan, &tallies, job)
}

/// Judges a sample, which has one tally per column of the plan.
pub(crate) fn judge(plan: &Plan, tallies: &[Tally], job: Job) -> Result<(), Cause> {
    let mut all = Tally::new(tallies.first().map_or(0, |tally| tally.keys.len()));
    for (tally, (table, column)) in tallies.iter().zip(plan.columns()) {
        if tally.readable() + tally.unreadable >= COLUMN_SAMPLE {
            refuse_wrong_keyring(tally, job, || Some((table.name.clone(), column.name.clone())))?;
        }
        all.merge(tally);
    }
    refuse_wrong_keyring(&all, job, || None)
}

/// Samples rows at either end of a table. Reports to `see` what every cell holds; `None` is `NULL`.
pub(crate) fn sample<C: TaskConnection>(
    session: &mut Session<'_, C>,
    table: &PlannedTable,
    job: Job,
    opener: &mut Opener<'_>,
    mut see: impl FnMut(usize, Option<&Verdict>),
) -> Result<(), Cause> {
    for descending in [false, true] {
        let mut page = Page::new(table, SAMPLE);
        page.descending = descending;
        let rows: Vec<Row> = session.run(|conn| page.load(conn))?;
        rows.iter().for_each(|row| Verdict::of_row(row, table, job, opener, &mut see));
        if rows.len() < SAMPLE {
            break; // this was the whole table
        }
    }
    Ok(())
}

/// If nine in ten tokens are unreadable, they are not damaged: the keyring is wrong.
fn refuse_wrong_keyring(
    tally: &Tally,
    job: Job,
    column: impl FnOnce() -> Option<(TableName, String)>,
) -> Result<(), Cause> {
    let readable = tally.readable();
    let unreadable = tally.unreadable;
    if unreadable > 9 * readable {
        return Err(Refusal::WrongKeyring { job, column: column(), readable, unreadable }.into());
    }
    Ok(())
}
