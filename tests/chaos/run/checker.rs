//! Checks the results of a run. The last check uses Python's `cryptography`, which shares no code with this crate.

use std::collections::{BTreeSet, HashMap};

use super::ledger::{Seen, journal, lost, read};
use super::processes::problems;
use super::reader::differences;
use super::values::COLUMNS;
use super::world::World;
use crate::backend::Conn;
use crate::support::keys::{NEW, key, keyring};
use crate::support::python;
use crate::support::runner::Run;

use diesel::prelude::*;

/// Checks that every problem that the task reports was planted.
pub fn only_planted_reported(world: &World, reported: &[[String; 4]]) {
    let expected = expected(world);
    for problem in reported.iter().filter(|problem| !expected.contains(*problem)) {
        world.fail(format!("reported without a reason: {problem:?}"));
    }
}

/// Checks, after a proof, that every readable value is under the new key.
pub fn nothing_under_the_old_key(world: &World) {
    let new = keyring([NEW]);
    let rows = world.session().run(|conn| read(conn, i64::MIN..i64::MAX));
    for (label, cell) in unplanted(world, &rows) {
        if new.decrypt(cell).is_err() {
            world.fail(format!("{label}: not under the new key, after a proof"));
        }
    }
}

/// Checks everything after the last run, when all writers have ended.
pub fn everything(world: &World, last: &Run, committed: &[u64]) {
    let mut session = world.session();
    let rows = session.run(|conn| read(conn, i64::MIN..i64::MAX));
    for key in session.run(lost) {
        world.fail(format!("{}: in the ledger, but not in the table", world.keys.label((key.0, &key.1))));
    }
    let cells: Vec<&[u8]> = unplanted(world, &rows).into_iter().map(|(_, cell)| cell).collect();
    let opened: HashMap<&[u8], Option<Vec<u8>>> = cells
        .iter()
        .copied()
        .zip(python::open(&key(NEW).to_text(), &cells))
        .map(|(cell, opened)| (cell, opened.map(|(plaintext, _)| plaintext)))
        .collect();
    let open = |cell: &[u8]| opened.get(cell).cloned().flatten();
    rows.iter().flat_map(|row| differences(world, row, open)).for_each(|wrong| world.fail(wrong));
    planted_are_unchanged(world, &rows);
    let (reported, expected) = (problems(last), expected(world));
    if reported.len() != expected.len() || BTreeSet::from_iter(reported.clone()) != expected {
        world.fail(format!("reported: {reported:?}; planted: {expected:?}"));
    }
    for (writer, committed) in (0..).zip(committed) {
        let entries = session
            .run(|conn: &mut Conn| journal::table.filter(journal::writer.eq(writer)).count().get_result::<i64>(conn));
        if entries as u64 != *committed {
            world.fail(format!("writer {writer} committed {committed} transactions, the database has {entries}"));
        }
    }
}

fn planted_are_unchanged(world: &World, rows: &[Seen]) {
    for ((key, column), bad) in world.planted.all() {
        let row = rows.iter().find(|row| (row.id, row.part.as_str()) == key);
        if row.and_then(|row| row.cells()[column]) != Some(&bad.bytes) {
            world.fail(format!("{} {}: a bad value was changed", world.keys.label(key), COLUMNS[column]));
        }
    }
}

/// Returns all values that were not planted, and their places.
fn unplanted<'a>(world: &World, rows: &'a [Seen]) -> Vec<(String, &'a [u8])> {
    let planted = world.planted.all();
    let is_planted = |row: &Seen, column| planted.keys().any(|(key, at)| *at == column && *key == (row.id, &row.part));
    let cells = rows.iter().flat_map(|row| row.cells().into_iter().enumerate().map(move |cell| (row, cell)));
    cells
        .filter(|(row, (column, _))| !is_planted(row, *column))
        .filter_map(|(row, (column, cell))| {
            let label = format!("{} {}", world.keys.label((row.id, &row.part)), COLUMNS[column]);
            Some((label, cell?))
        })
        .collect()
}

/// Returns the problems that a report must contain.
fn expected(world: &World) -> BTreeSet<[String; 4]> {
    let table = format!("{}item", world.db.schema());
    let planted = world.planted.all().into_iter();
    planted
        .map(|((key, column), bad)| [table.clone(), COLUMNS[column].into(), world.keys.label(key), bad.kind.to_owned()])
        .collect()
}
