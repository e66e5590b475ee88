//! The course of a run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::state_tables;
use fastrand::Rng;

use super::ROW_LOCKS;
use super::keys::Keys;
use super::ledger::{create, fill};
use super::planted::plant;
use super::values::Sealer;
use super::world::World;
use super::writers::{self, Writer};
use super::{checker, faults, processes, reader, stragglers};
use crate::backend::{Conn, SPLIT_TABLE};
use crate::support::keys::{NEW, OLD};

const ROWS: usize = 2000;
/// The number of bad rows at the beginning.
const BAD: usize = 3;

/// Runs everything at once for this many seconds. Then runs the task without failures, and the checks.
pub fn run(seed: u64, seconds: u64) -> Result<String, String> {
    let started = Instant::now();
    let time = Duration::from_secs(seconds);
    let mut rng = Rng::with_seed(seed);
    let keys = Keys { count: ROWS, is_composite: seed % 2 == 0 };
    let (holds, straggles) = (ROW_LOCKS && seed % 3 == 0, ROW_LOCKS && seed % 3 == 1);
    let world = World::new(keys, Writer::ALL, time);
    let mut session = world.session();
    session.run(|conn| create(conn, keys));
    if let Some(split) = SPLIT_TABLE.filter(|_| seed % 4 > 1) {
        session.run(|conn| conn.batch_execute(split));
    }
    if seed % 4 < 2 {
        // A migration creates the tables. Otherwise the task creates them, except on SQLite, where it needs none.
        let tables = state_tables::<<Conn as Connection>::Backend>().create;
        session.run(|conn| tables.iter().try_for_each(|table| conn.batch_execute(table)));
    }
    fill(&mut world.db.conn(), keys, &Sealer::with_keys([OLD, NEW]), &mut rng).unwrap();
    while world.planted.all().len() < BAD {
        plant(&world, &mut session, &mut rng);
    }

    let committed: Vec<u64> = thread::scope(|threads| {
        if holds {
            let (sender, has_begun) = mpsc::channel();
            threads.spawn(|| stragglers::hold(&world, sender));
            has_begun.recv().unwrap();
        }
        if straggles {
            let (rng, (sender, has_begun)) = (rng.fork(), mpsc::channel());
            threads.spawn(|| stragglers::straggle(&world, rng, sender));
            has_begun.recv().unwrap();
        }
        let writers: Vec<_> = writers::all(&world)
            .into_iter()
            .map(|writer| (writer, rng.fork()))
            .map(|(writer, rng)| threads.spawn(|| writer.run(&world, rng)))
            .collect();
        let (for_reader, for_faults) = (rng.fork(), rng.fork());
        threads.spawn(|| reader::run(&world, for_reader));
        threads.spawn(|| faults::run(&world, time, !straggles, for_faults));
        writers.into_iter().map(|writer| writer.join().unwrap_or_default()).collect()
    });

    let mut runs = 0;
    if world.failures.is_empty() {
        if let Some((last, number)) = processes::to_the_end(&world) {
            runs = number;
            checker::everything(&world, &last, &committed);
        }
    }
    world.failures.check()?;
    Ok(figures(&world, runs, started.elapsed()))
}

fn figures(world: &World, runs: usize, time: Duration) -> String {
    let counts = &world.counts;
    let of = |counter: &AtomicU64, what: &str| format!("{} {what}", counter.load(Relaxed));
    [
        of(&counts.operations, "operations"),
        of(&counts.unanswered, "unanswered commits"),
        of(&counts.reads, "reads"),
        of(&counts.runs, "runs"),
        of(&counts.proofs, "proofs"),
        of(&counts.lasting, "of them lasting"),
        of(&counts.kills, "kills"),
        of(&counts.stops, "stops"),
        of(&counts.cuts, "cuts"),
        of(&counts.terminations, "terminations"),
        of(&counts.restarts, "restarts"),
        of(&counts.replaced, "replaced tables"),
        format!("{runs} runs until proven"),
        format!("{:.1} s", time.as_secs_f64()),
    ]
    .join(", ")
}
