//! Checks on a sample of rows whether the keyring belongs to the data, before anything is written.

use crate::database::{Page, Plan, PlannedTable, Row, Session, TaskConnection};
use crate::keys::{Keyring, Opener};
use crate::reencrypt::report::{Cause, Job, Refusal, Tally, Verdict};
use crate::targets::TableName;

/// The rows sampled at either end of a table.
const SAMPLE: usize = 100;
/// A column with at least this many sampled tokens is judged on its own. The others are judged together.
const COLUMN_SAMPLE: u64 = 100;

/// What the sampled rows hold.
pub(crate) struct Sample<'k> {
    opener: Opener<'k>,
    job: Job,
    /// One entry per column of the tables so far.
    pub(crate) tallies: Vec<Tally>,
    /// The dates of the tokens under each key, in seconds since 1970.
    pub(crate) dates: Vec<Vec<u64>>,
}

impl<'k> Sample<'k> {
    pub(crate) fn new(keyring: &'k Keyring, job: Job) -> Self {
        let dates = vec![Vec::new(); keyring.fingerprints().len()];
        Self { opener: Opener::new(keyring), job, tallies: Vec::new(), dates }
    }

    /// Samples rows at either end of a table.
    pub(crate) fn add<C: TaskConnection>(
        &mut self,
        session: &mut Session<'_, C>,
        table: &PlannedTable,
    ) -> Result<(), Cause> {
        let Self { opener, job, tallies, dates } = self;
        let first = tallies.len();
        tallies.resize(first + table.columns.len(), Tally::new(dates.len()));
        for descending in [false, true] {
            let mut page = Page::new(table, SAMPLE);
            page.descending = descending;
            let rows: Vec<Row> = session.run(|conn| page.rows(conn))??;
            for row in &rows {
                Verdict::of_row(row, table, *job, opener, |place, verdict| {
                    let tally = &mut tallies[first + place.column];
                    tally.further += u64::from(place.is_further());
                    match verdict {
                        Some(verdict) => tally.add(verdict, *job, 0),
                        None => tally.null += 1,
                    }
                    if let Some(Verdict::Token { position, timestamp, .. }) = verdict {
                        dates[*position].push(*timestamp);
                    }
                });
            }
            if rows.len() < SAMPLE {
                break; // this was the whole table
            }
        }
        Ok(())
    }
}

/// Refuses a keyring that opens hardly any sampled token: the keyring is wrong, not the rows.
pub(crate) fn check_keyring<C: TaskConnection>(
    session: &mut Session<'_, C>,
    plan: &Plan,
    job: Job,
    keyring: &Keyring,
) -> Result<(), Cause> {
    let mut sample = Sample::new(keyring, job);
    plan.tables().iter().try_for_each(|table| sample.add(session, table))?;
    judge(plan, &sample.tallies, job)
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
