//! The application: transactions that change the table and the ledger together.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use fastrand::Rng;

use super::LONG_TRANSACTION;
use super::keys::Key;
use super::ledger::{self, Common, item, journal, truth};
use super::values::{Plain, Sealed, Sealer};
use super::world::{World, count};
use crate::backend::{Conn, connect, transaction};
use crate::support::failures::FailOnPanic;
use crate::support::keys::{NEW, OLD};
use crate::support::ledger::{one, stamp};
use crate::support::session::Session;

/// One process of the application.
pub struct Writer {
    pub number: i32,
    /// How the writer encrypts: before it stops using the old primary key, and after.
    pub sealers: [Sealer; 2],
    /// How many of ten writes go to a hot row.
    pub hot: u8,
    pub url: String,
}

/// Returns the writers of a run. One of them keeps the old primary key for a while, and two have a wrong clock.
pub fn all(world: &World) -> Vec<Writer> {
    let current = || Sealer::with_keys([NEW, OLD]);
    let hour = 3600;
    let sealers = [
        [Sealer::with_keys([OLD, NEW]), current()],
        [current(), current()],
        [current(), current()],
        [Sealer::Dated(hour), Sealer::Dated(hour)],
        [Sealer::Dated(-hour), Sealer::Dated(-hour)],
    ];
    let writer = |(number, sealers): (usize, [Sealer; 2])| {
        let url = match number {
            1 => world.shaky_url(),
            0 | 3 => world.far_url(),
            _ => world.db.url(),
        };
        Writer { number: number as i32, sealers, hot: if number == 0 { 9 } else { 6 }, url }
    };
    sealers.into_iter().enumerate().map(writer).collect()
}

impl Writer {
    /// The number of writers. While the old key is in use, each of them can move a row with its token.
    pub const ALL: usize = 5;

    /// Writes until the storm is over. Returns the number of committed transactions.
    pub fn run(self, world: &World, mut rng: Rng) -> u64 {
        let _guard = FailOnPanic(&world.failures);
        let mut session = Session::new(connect, self.url.clone());
        let (mut committed, mut has_old_key) = (0, true);
        for operation in 0.. {
            if world.is_over() {
                break;
            }
            if has_old_key && Instant::now() >= world.turn() {
                has_old_key = false;
                // A transaction that failed was repeated until its outcome was known, so none is pending.
                world.give_up();
            }
            let sealer = &self.sealers[usize::from(!has_old_key)];
            let plan = Plan::random(&self, operation, has_old_key, sealer, world, &mut rng);
            if commit(world, &mut session, &plan) {
                committed += 1;
                count(&world.counts.operations);
            }
            // Lets the other writers have their turn.
            thread::sleep(Duration::from_millis(rng.u64(0..8)));
        }
        committed
    }
}

/// A transaction and all its random choices. When it is repeated, it does the same.
struct Plan<'a> {
    writer: i32,
    operation: i64,
    key: Key,
    /// The key to which the row may move.
    other: Key,
    action: Action,
    /// The columns that an update changes.
    changes: [bool; 3],
    ending: Ending,
    plain: Plain,
    sealer: &'a Sealer,
    seal_seed: u64,
    text: String,
    stamp: String,
}

/// What happens to an existing row. A missing row is inserted.
#[derive(Clone, Copy)]
enum Action {
    Update,
    Delete,
    Replace,
    /// Changes the key of the row. The tokens stay the same, or are new.
    Move {
        keeps_tokens: bool,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Commit,
    CommitLate,
    Rollback,
}

impl<'a> Plan<'a> {
    fn random(
        writer: &Writer,
        operation: i64,
        has_old_key: bool,
        sealer: &'a Sealer,
        world: &World,
        rng: &mut Rng,
    ) -> Self {
        let ending = match rng.u8(0..200) {
            0 => Ending::CommitLate,
            1..10 => Ending::Rollback,
            _ => Ending::Commit,
        };
        // Locking a hot row for a second would stop all writers.
        let hot = (ending != Ending::CommitLate && rng.u8(0..10) < writer.hot).then(|| world.hot.load(Relaxed));
        let text = format!("writer {} operation {operation}", writer.number);
        Self {
            writer: writer.number,
            operation,
            key: world.keys.key(world.keys.pick(hot, rng)),
            other: world.keys.key(world.keys.pick(None, rng)),
            action: match rng.u8(0..20) {
                0 => Action::Delete,
                1 => Action::Replace,
                // A proof does not cover rows that move during the proof. So a row only moves with an old token while
                // nothing can be proven.
                2 => Action::Move { keeps_tokens: has_old_key },
                _ => Action::Update,
            },
            changes: [rng.bool(), rng.bool(), rng.bool()],
            ending,
            plain: Plain::random(&text, rng),
            sealer,
            seal_seed: rng.u64(..),
            text,
            stamp: stamp(writer.number as usize, Writer::ALL, operation),
        }
    }

    fn apply(&self, conn: &mut Conn) -> QueryResult<()> {
        // This locks the row of the ledger, if there is one, and keeps the other writers away from both rows.
        let row = diesel::update(truth::table.find(self.key)).set(truth::updated_at.eq(&self.stamp));
        let is_there = row.execute(conn)? == 1;
        match self.action {
            _ if !is_there => self.insert(conn)?,
            Action::Update => self.update(conn)?,
            Action::Delete => self.delete(conn)?,
            Action::Replace => {
                self.delete(conn)?;
                self.insert(conn)?;
            }
            Action::Move { keeps_tokens } => {
                let others = truth::table.find(self.other).count().get_result::<i64>(conn)?;
                match (others, keeps_tokens) {
                    (0, true) => self.rename(conn)?,
                    (0, false) => {
                        self.update(conn)?;
                        self.rename(conn)?;
                    }
                    _ => self.update(conn)?,
                }
            }
        }
        if self.ending == Ending::CommitLate {
            thread::sleep(LONG_TRANSACTION);
        }
        if self.ending == Ending::Rollback { Err(Error::RollbackTransaction) } else { Ok(()) }
    }

    fn sealed(&self) -> Sealed {
        self.plain.seal(self.sealer, &mut Rng::with_seed(self.seal_seed))
    }

    fn insert(&self, conn: &mut Conn) -> QueryResult<()> {
        let common = Common { key: self.key, plain: &self.text, stamp: &self.stamp };
        ledger::insert(conn, common, self.plain.clone(), self.sealed())
    }

    fn delete(&self, conn: &mut Conn) -> QueryResult<()> {
        one(diesel::delete(truth::table.find(self.key)).execute(conn)?);
        one(diesel::delete(item::table.find(self.key)).execute(conn)?);
        Ok(())
    }

    fn update(&self, conn: &mut Conn) -> QueryResult<()> {
        let ([name, phone, photo], plain, sealed) = (self.changes, self.plain.clone(), self.sealed());
        let truths = TruthChange {
            plain: &self.text,
            name: name.then_some(plain.name),
            phone: phone.then_some(plain.phone),
            photo: photo.then_some(plain.photo),
        };
        let items = ItemChange {
            plain: &self.text,
            updated_at: &self.stamp,
            name: name.then_some(sealed.name),
            phone: phone.then_some(sealed.phone),
            photo: photo.then_some(sealed.photo),
        };
        one(diesel::update(truth::table.find(self.key)).set(truths).execute(conn)?);
        one(diesel::update(item::table.find(self.key)).set(items).execute(conn)?);
        Ok(())
    }

    fn rename(&self, conn: &mut Conn) -> QueryResult<()> {
        let (id, part) = self.other;
        let row = diesel::update(truth::table.find(self.key));
        one(row.set((truth::id.eq(id), truth::part.eq(part))).execute(conn)?);
        let row = diesel::update(item::table.find(self.key));
        let stamp = item::updated_at.eq(&self.stamp);
        one(row.set((item::id.eq(id), item::part.eq(part), stamp)).execute(conn)?);
        Ok(())
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = item)]
struct ItemChange<'a> {
    plain: &'a str,
    updated_at: &'a str,
    name: Option<String>,
    phone: Option<Option<String>>,
    photo: Option<Option<Vec<u8>>>,
}

#[derive(AsChangeset)]
#[diesel(table_name = truth)]
struct TruthChange<'a> {
    plain: &'a str,
    name: Option<Vec<u8>>,
    phone: Option<Option<Vec<u8>>>,
    photo: Option<Option<Vec<u8>>>,
}

/// Runs the transaction exactly once. Returns whether it was committed.
///
/// After an error, the outcome is unknown. The entry in the journal decides it: a second entry with the same key waits
/// until the outcome of the first is decided, and fails if the first was committed.
fn commit(world: &World, session: &mut Session<Conn>, plan: &Plan<'_>) -> bool {
    session.run(|conn| {
        let mut is_known = false;
        let result = transaction(conn, |conn| {
            let entry = (journal::writer.eq(plan.writer), journal::operation.eq(plan.operation));
            let entered = diesel::insert_into(journal::table).values(entry).execute(conn);
            if let Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) = entered {
                is_known = true;
                count(&world.counts.unanswered);
                return Err(Error::RollbackTransaction);
            }
            entered?;
            plan.apply(conn)
        });
        match result {
            Ok(()) => Ok(true),
            Err(Error::RollbackTransaction) => Ok(is_known),
            Err(error) => Err(error),
        }
    })
}
