//! Transactions that stay open while the task should end. Each of them occurs in one seed of three.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use fastrand::Rng;

use super::ledger::{Common, insert, item};
use super::values::{Plain, Sealer};
use super::world::World;
use crate::backend::{connect, own_session, transaction};
use crate::support::failures::FailOnPanic;
use crate::support::keys::{NEW, OLD};
use crate::support::session::Session;

/// Locks rows under the old key, long after the writers have stopped using it. Meanwhile nothing can be proven. Sends a
/// message when the rows are locked.
pub fn hold(world: &World, has_begun: Sender<()>) {
    let _guard = FailOnPanic(&world.failures);
    let end = world.moment(0.6);
    Session::new(connect, world.far_url()).run(|conn| {
        let held = transaction(conn, |conn| {
            world.spared.store(own_session(conn)?, Relaxed);
            for key in world.keys.held() {
                diesel::update(item::table.find(key)).set(item::plain.eq(item::plain)).execute(conn)?;
            }
            // An error means that this is a retry, for which nobody waits.
            let _ = has_begun.send(());
            wait(world, end);
            Err::<(), _>(Error::RollbackTransaction)
        });
        match held {
            Err(Error::RollbackTransaction) => Ok(()),
            other => other,
        }
    });
}

/// Inserts a row under the old key, which nobody sees until its late commit. Until then, nothing can be proven. Sends a
/// message when the row is inserted.
pub fn straggle(world: &World, mut rng: Rng, has_begun: Sender<()>) {
    let _guard = FailOnPanic(&world.failures);
    let key = world.keys.key(world.keys.count);
    let plain = Plain::random("a straggler", &mut rng);
    let sealer = Sealer::with_keys([OLD, NEW]);
    Session::new(connect, world.far_url()).run(|conn| {
        let inserted = transaction(conn, |conn| {
            world.spared.store(own_session(conn)?, Relaxed);
            let common = Common { key, plain: "late", stamp: "2026-12-31 00:00:00" };
            insert(conn, common, plain.clone(), plain.seal(&sealer, &mut rng))?;
            world.straggles.store(true, Relaxed);
            let _ = has_begun.send(());
            wait(world, world.moment(0.6));
            world.straggles.store(false, Relaxed);
            Ok(())
        });
        match inserted {
            // Nobody else uses this key, so an earlier attempt whose outcome was unknown has committed the row.
            Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(()),
            inserted => inserted,
        }
    });
}

fn wait(world: &World, until: Instant) {
    while !world.is_over() && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
}
