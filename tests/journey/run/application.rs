//! The instances of the application. Their transactions compare the table with the ledger, and change both together.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use diesel::prelude::*;
use diesel::result::Error;
use fastrand::Rng;

use super::account::{Account, HOT, account, ledger};
use super::checker::differences;
use super::stages::Stage;
use super::world::{INSTANCES, LAST, World};
use crate::backend::{Conn, transaction};
use crate::support::failures::FailOnPanic;
use crate::support::ledger::{one, stamp};

/// Runs one instance until the journey is over.
pub fn run(world: &World, number: usize, mut rng: Rng) {
    let _guard = FailOnPanic(&world.failures);
    let mut session = world.session();
    let instance = &world.instances[number];
    for operation in 0.. {
        if world.is_over() {
            break;
        }
        let is_hot = number == LAST && world.is_hot();
        let plan = match is_hot {
            true => Plan::hot(operation, &mut rng),
            false => Plan::random(number, operation, world.rows, &mut rng),
        };
        let stage = instance.stage();
        world.in_turn(|| {
            let wrong = session.run(|conn| plan.carry_out(conn, stage));
            wrong.into_iter().for_each(|wrong| world.fail(format!("{wrong}, by {stage:?}, {}", plan.new.note)));
            if is_hot {
                world.note_hot_commit();
            }
        });
        world.transactions.fetch_add(1, Relaxed);
        world.compared.fetch_add(3, Relaxed);
        instance.end();
        // Lets the other instances have their turn.
        thread::sleep(Duration::from_millis(if is_hot { 1 } else { rng.u64(0..8) }));
    }
}

/// A transaction and all its random choices. When it is repeated, it does the same.
struct Plan {
    id: i64,
    action: Action,
    is_rolled_back: bool,
    new: Account,
    /// The columns that an update changes.
    changes: [bool; 3],
    stamp: String,
}

/// What happens to an existing row. A missing row is inserted.
enum Action {
    Update,
    Delete,
    Replace,
}

impl Plan {
    fn random(number: usize, operation: i64, rows: i64, rng: &mut Rng) -> Self {
        Self {
            // Some of these rows are new.
            id: rng.i64(HOT + 1..=rows + rows / 10),
            action: match rng.u8(0..10) {
                0 => Action::Delete,
                1 => Action::Replace,
                _ => Action::Update,
            },
            is_rolled_back: rng.u8(0..20) == 0,
            new: Account::random(&format!("instance {number}, operation {operation}"), rng),
            changes: [rng.bool(), rng.bool(), rng.bool()],
            stamp: stamp(number, INSTANCES, operation),
        }
    }

    fn hot(operation: i64, rng: &mut Rng) -> Self {
        let mut new = Account::random(&format!("instance {LAST}, operation {operation}"), rng);
        new.phone = Some(operation);
        let (action, changes) = (Action::Update, [true; 3]);
        Self { id: HOT, action, is_rolled_back: false, new, changes, stamp: stamp(LAST, INSTANCES, operation) }
    }

    /// Compares the row with the ledger, as the model reads it, and then changes both. Returns the differences. If
    /// there are any, it changes nothing.
    fn carry_out(&self, conn: &mut Conn, stage: Stage) -> QueryResult<Vec<String>> {
        let mut wrong = Vec::new();
        let result = transaction(conn, |conn| {
            // This locks the row of the ledger, if there is one, and keeps the other instances away from both rows.
            let row = diesel::update(ledger::table.find(self.id)).set(ledger::counter.eq(ledger::counter));
            let is_there = row.execute(conn)? == 1;
            let seen = stage.read(conn, self.id..self.id + 1)?;
            wrong.extend(seen.iter().flat_map(differences));
            if is_there && seen.is_empty() {
                wrong.push(format!("id={}: the ledger has it, and the table does not", self.id));
            }
            if !wrong.is_empty() {
                return Err(Error::RollbackTransaction);
            }
            self.apply(conn, stage, is_there)?;
            if self.is_rolled_back { Err(Error::RollbackTransaction) } else { Ok(()) }
        });
        match result {
            Ok(()) | Err(Error::RollbackTransaction) => Ok(wrong),
            // This is not retried, because committed values must be readable at every moment.
            Err(Error::DeserializationError(error)) => Ok(vec![format!("id={}: cannot be read: {error}", self.id)]),
            Err(error) => Err(error),
        }
    }

    fn apply(&self, conn: &mut Conn, stage: Stage, is_there: bool) -> QueryResult<()> {
        match self.action {
            _ if !is_there => self.insert(conn, stage),
            Action::Update => {
                let change = self.new.clone().change(self.changes);
                let set = (ledger::updated_at.eq(&self.stamp), change.clone());
                one(diesel::update(ledger::table.find(self.id)).set(set).execute(conn)?);
                one(stage.update(conn, self.id, &self.stamp, change)?);
                Ok(())
            }
            Action::Delete => self.delete(conn),
            Action::Replace => {
                self.delete(conn)?;
                self.insert(conn, stage)
            }
        }
    }

    fn insert(&self, conn: &mut Conn, stage: Stage) -> QueryResult<()> {
        let truth = (ledger::id.eq(self.id), ledger::updated_at.eq(&self.stamp), self.new.clone());
        diesel::insert_into(ledger::table).values(truth).execute(conn)?;
        stage.insert(conn, self.id, &self.stamp, self.new.clone()).map(drop)
    }

    fn delete(&self, conn: &mut Conn) -> QueryResult<()> {
        one(diesel::delete(ledger::table.find(self.id)).execute(conn)?);
        one(diesel::delete(account::table.find(self.id)).execute(conn)?);
        Ok(())
    }
}
