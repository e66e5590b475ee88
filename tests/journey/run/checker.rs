//! Checks the table with the models, and with Python's `cryptography`, which shares no code with this crate.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use diesel::prelude::*;

use super::account::{LOOKALIKE, account, ledger};
use super::stages::{Seen, Stage};
use super::world::World;
use crate::backend::Conn;
use crate::support::keys::key;
use crate::support::python;

/// The number of rows that are checked together.
const PAGE: i64 = 10_000;

/// Returns the differences between a row and the ledger.
pub fn differences(seen: &Seen) -> Vec<String> {
    let Seen { id, account, truth, same_stamp } = seen;
    let Some(truth) = truth else { return vec![format!("id={id}: not in the ledger")] };
    let is_same = [
        ("note", account.note == truth.note),
        ("counter", account.counter == truth.counter),
        ("updated_at", *same_stamp == Some(true)),
        ("email", account.email == truth.email),
        ("phone", account.phone == truth.phone),
        ("scan", account.scan == truth.scan),
    ];
    let different = is_same.into_iter().filter(|(_, is_same)| !is_same);
    let describe = |column| format!("id={id}: {column} is not what the ledger has ({} there)", truth.note);
    different.map(|(column, _)| describe(column)).collect()
}

/// Checks every row as the models of this stage read it, while nobody writes.
pub fn everything(world: &World, stage: Stage) {
    let mut session = world.session();
    world.in_quiet(|| {
        for ids in pages(world) {
            let read = session.run(|conn| match stage.read(conn, ids.clone()) {
                Err(diesel::result::Error::DeserializationError(error)) => Ok(Err(error.to_string())),
                read => read.map(Ok),
            });
            match read {
                Err(error) => world.fail(format!("{ids:?} cannot be read by {stage:?}: {error}")),
                Ok(seen) => {
                    world.compared.fetch_add(3 * seen.len() as u64, Relaxed);
                    seen.iter().flat_map(differences).for_each(|wrong| world.fail(wrong));
                }
            }
        }
        as_many_as_in_the_ledger(world, &mut world.db.conn());
    });
}

/// Checks that every value is a token under this key, and that its plaintext agrees with the ledger.
pub fn every_token_by_python(world: &World, number: u8) {
    let conn = &mut world.db.conn();
    let key = key(number).to_text();
    world.in_quiet(|| {
        for ids in pages(world) {
            let cells: Vec<Cell> = raw(conn, ids).unwrap().into_iter().flat_map(Raw::cells).collect();
            let tokens: Vec<&[u8]> = cells.iter().filter_map(|cell| cell.stored.as_deref()).collect();
            let mut opened = python::open(&key, &tokens).into_iter();
            for Cell { place, stored, truth } in &cells {
                // There is one plaintext for each token, in the same order.
                let opened = stored.as_ref().map(|_| opened.next().flatten().map(|(plaintext, _)| plaintext));
                if opened != truth.clone().map(Some) {
                    world.fail(format!("{place}: Python reads another value than the ledger has"));
                }
            }
            world.compared.fetch_add(cells.len() as u64, Relaxed);
        }
        as_many_as_in_the_ledger(world, conn);
    });
}

/// Checks that no row is missing, and that none was added.
pub fn as_many_as_in_the_ledger(world: &World, conn: &mut Conn) {
    let rows: i64 = account::table.count().get_result(conn).unwrap();
    let truths: i64 = ledger::table.count().get_result(conn).unwrap();
    if rows != truths {
        world.fail(format!("{rows} rows in the table, {truths} in the ledger"));
    }
}

fn pages(world: &World) -> impl Iterator<Item = Range<i64>> {
    let end = world.rows + world.rows / 10 + 1;
    (LOOKALIKE..end).step_by(PAGE as usize).map(move |first| first..(first + PAGE).min(end))
}

/// A row as it is stored, and the values that it must have.
#[derive(Queryable)]
struct Raw {
    id: i64,
    email: String,
    phone: Option<String>,
    scan: Option<Vec<u8>>,
    truth: (String, Option<i64>, Option<Vec<u8>>),
}

struct Cell {
    place: String,
    stored: Option<Vec<u8>>,
    truth: Option<Vec<u8>>,
}

impl Raw {
    fn cells(self) -> [Cell; 3] {
        let Self { id, email, phone, scan, truth } = self;
        let cell = |column, stored, truth| Cell { place: format!("id={id} {column}"), stored, truth };
        let phone_truth = truth.1.map(|number| number.to_string().into_bytes());
        [
            cell("email", Some(email.into_bytes()), Some(truth.0.into_bytes())),
            cell("phone", phone.map(String::into_bytes), phone_truth),
            cell("scan", scan, truth.2),
        ]
    }
}

fn raw(conn: &mut Conn, ids: Range<i64>) -> QueryResult<Vec<Raw>> {
    account::table
        .inner_join(ledger::table.on(ledger::id.eq(account::id)))
        .filter(account::id.ge(ids.start).and(account::id.lt(ids.end)))
        .select((
            account::id,
            account::email,
            account::phone,
            account::scan,
            (ledger::email, ledger::phone, ledger::scan),
        ))
        .load(conn)
}
