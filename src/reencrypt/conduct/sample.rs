//! Whether the keyring belongs to the data, from a few rows, before anything is written.

use diesel::RunQueryDsl;

use crate::database::connection::TaskConnection;
use crate::database::page::Page;
use crate::database::row::Row;
use crate::database::session::Session;
use crate::database::table::PlannedTable;
use crate::keys::keyring::Keyring;
use crate::keys::rotation::Opener;
use crate::reencrypt::report::error::Cause;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::refusal::Refusal;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::verdict::Verdict;
use crate::targets::TableName;

/// Rows sampled at either end of a table.
const SAMPLE: usize = 100;
/// A column with at least this many sampled tokens is judged by itself, a smaller one with the others.
const COLUMN_SAMPLE: u64 = 100;

/// Refuses a keyring that reads hardly anything of a sample: that is a wrong keyring, not bad rows.
pub(crate) fn check_keyring<C: TaskConnection>(
    session: &mut Session<'_, C>,
    tables: &[PlannedTable],
    job: Job,
    keyring: &Keyring,
) -> Result<(), Cause> {
    let mut opener = Opener::new(keyring);
    let mut tallies: Vec<Tally> = Vec::new();
    for table in tables {
        let first = tallies.len();
        tallies.resize(first + table.columns.len(), Tally::new(keyring.fingerprints().len()));
        sample(session, table, job, &mut opener, |column, verdict| {
            if let Some(verdict) = verdict {
                tallies[first + column].add(verdict, job, 0);
            }
        })?;
    }
    judge(tables, &tallies, job)
}

/// The same, from a sample that was taken: one tally for each column of the tables.
pub(crate) fn judge(tables: &[PlannedTable], tallies: &[Tally], job: Job) -> Result<(), Cause> {
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let mut all = Tally::new(tallies.first().map_or(0, |tally| tally.keys.len()));
    for (tally, (table, column)) in tallies.iter().zip(columns) {
        if tally.readable() + tally.unreadable >= COLUMN_SAMPLE {
            refuse_wrong_keyring(tally, job, || Some((table.name.clone(), column.name.clone())))?;
        }
        all.merge(tally);
    }
    refuse_wrong_keyring(&all, job, || None)
}

/// Tells `see` what the cells hold of some rows at either end of a table; `None` is `NULL`.
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
            break; // that was the whole table
        }
    }
    Ok(())
}

/// Nine in ten tokens unreadable is not damage.
fn refuse_wrong_keyring(
    tally: &Tally,
    job: Job,
    column: impl FnOnce() -> Option<(TableName, String)>,
) -> Result<(), Cause> {
    let (readable, unreadable) = (tally.readable(), tally.unreadable);
    if unreadable > 9 * readable {
        return Err(Refusal::WrongKeyring { job, column: column(), readable, unreadable }.into());
    }
    Ok(())
}
