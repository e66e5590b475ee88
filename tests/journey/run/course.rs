//! The steps of a journey.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use diesel_encrypted::Keyring;
use fastrand::Rng;

use super::account::{create, fill};
use super::stages::Stage;
use super::world::{End, INSTANCES, World};
use super::{application, checker, way_in, way_out};
use crate::support::keys::{NEW, OLD, key};

/// Encrypts a table, guards it, rotates it and decrypts it, while all instances of the application write.
pub fn run(seed: u64, rows: u64) -> Result<String, String> {
    let mut rng = Rng::with_seed(seed);
    let world = World::new(i64::try_from(rows).unwrap());
    create(&mut world.db.conn()).unwrap();
    fill(&mut world.db.conn(), world.rows, &mut rng).unwrap();
    Keyring::new([key(OLD)]).unwrap().replace();
    let steps = thread::scope(|threads| {
        let _end = End(&world);
        for number in 0..INSTANCES {
            let (world, rng) = (&world, rng.fork());
            threads.spawn(move || application::run(world, number, rng));
        }
        travel(&world)
    })?;
    // The instances may have found a difference just before their end.
    world.failures.check()?;
    Ok(figures(&world, &steps))
}

type Steps = Vec<(&'static str, f64)>;

fn travel(world: &World) -> Result<Steps, String> {
    let mut steps = Steps::new();
    let mut step = |name, take: &dyn Fn()| {
        let started = Instant::now();
        take();
        steps.push((name, started.elapsed().as_secs_f64()));
        world.failures.check()
    };
    step("prepare", &|| way_in::prepare(world))?;
    step("make room", &|| way_in::make_room(world))?;
    step("planted", &|| way_in::planted(world))?;
    step("too early", &|| way_in::too_early(world))?;
    step("one left behind", &|| way_in::one_left_behind(world))?;
    step("encrypt", &|| way_in::encrypt(world))?;
    step("check", &|| check(world, Stage::Adopting, OLD))?;
    step("guard", &|| way_in::guard(world))?;
    step("rotate", &|| way_in::rotate(world))?;
    step("check", &|| check(world, Stage::Encrypted, NEW))?;
    step("lift guard", &|| way_out::lift_guard(world))?;
    step("one left behind", &|| way_out::one_left_behind(world))?;
    step("decrypt", &|| way_out::leave(world))?;
    step("check", &|| checker::everything(world, Stage::Plain))?;
    Ok(steps)
}

fn check(world: &World, stage: Stage, number: u8) {
    checker::everything(world, stage);
    checker::every_token_by_python(world, number);
}

fn figures(world: &World, steps: &Steps) -> String {
    let (transactions, compared) = (world.transactions.load(Relaxed), world.compared.load(Relaxed));
    let seconds: Vec<String> = steps.iter().map(|(name, seconds)| format!("{name} {seconds:.1}")).collect();
    format!(
        "{} rows, {transactions} transactions, {compared} values compared; seconds: {}",
        world.rows,
        seconds.join(", ")
    )
}
