//! Causes failures at random moments.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::PROCESSES;
use super::keys::HOT;
use super::planted::plant;
use super::processes::Slot;
use super::world::{World, count};
use crate::backend::{Conn, SERVER, SHUTDOWN, connect, pid_file, replace_table, sessions, terminate};
use crate::support::failures::FailOnPanic;
use crate::support::session::Session;

/// The interval at which the processes are checked.
const TICK: Duration = Duration::from_millis(5);
/// A storm of at least this length includes a restart of the server.
const LONG: Duration = Duration::from_secs(15);

/// Runs the processes of the task and causes failures until the storm is over. A restart of the server would end open
/// transactions, so `may_restart` forbids it for runs that need one.
pub fn run(world: &World, time: Duration, may_restart: bool, mut rng: Rng) {
    let _guard = FailOnPanic(&world.failures);
    let mut session = world.session();
    let mut slots: Vec<Slot> = (0..rng.usize(PROCESSES))
        .map(|number| Slot::new(if number == 0 { world.shaky_url() } else { world.db.url() }, rng.fork()))
        .collect();
    let start = Instant::now();
    let mut restart =
        (may_restart && time >= LONG && is_disposable()).then(|| start + time.mul_f64(0.2 + 0.6 * rng.f64()));
    let mut next = start;
    while !world.is_over() {
        slots.iter_mut().for_each(|slot| slot.tend(world));
        if Instant::now() >= next {
            strike(world, &mut session, &mut slots, &mut rng);
            next = Instant::now() + Duration::from_millis(rng.u64(20..250));
        }
        if restart.is_some_and(|time| Instant::now() >= time) {
            shut_down(world, &mut session);
            restart = None;
        }
        thread::sleep(TICK);
    }
}

fn strike(world: &World, session: &mut Session<Conn>, slots: &mut [Slot], rng: &mut Rng) {
    world.hot.store(rng.usize(0..world.keys.count - HOT), Relaxed);
    // When a proof is possible, one process may run to its end, although on a connection that is cut.
    let spared = usize::from(Instant::now() > world.turn() && slots.len() > 1);
    let slot = rng.choice(&mut slots[spared..]).unwrap();
    match rng.u8(0..16) {
        // Its ranges become free when its lease ends.
        0 => slot.kill(world),
        1 => slot.suspend(world, Duration::from_millis(rng.u64(50..2500))),
        2..4 => plant(world, session, rng),
        4..6 => {
            let terminated = session.run(|conn| {
                let spared = world.spared.load(Relaxed);
                let mut sessions = sessions(conn)?;
                sessions.retain(|session| *session != spared);
                rng.choice(sessions).map(|victim| terminate(conn, victim)).transpose()
            });
            if terminated.is_some() {
                count(&world.counts.terminations);
            }
        }
        6..8 => {
            let Some(proxy) = &world.proxy else { return };
            // Data on its way is first delayed and then lost. It may be a COMMIT, or the answer to one.
            proxy.stall();
            thread::sleep(Duration::from_millis(rng.u64(0..20)));
            proxy.hang_up();
            proxy.resume();
            count(&world.counts.cuts);
        }
        // An online change of the schema ends like this: another table gets the name. It may fail, as everywhere.
        8 if connect(&world.db.url()).is_ok_and(|mut conn| replace_table(&mut conn).is_ok()) => {
            count(&world.counts.replaced);
        }
        _ => {}
    }
}

/// Whether the server was started for this run only, and restarts by itself.
fn is_disposable() -> bool {
    let servers = std::env::var("DISPOSABLE_SERVERS").unwrap_or_default();
    SERVER.is_some_and(|server| servers.split_whitespace().any(|name| name == server))
}

/// Ends the server without time to finish anything.
fn shut_down(world: &World, session: &mut Session<Conn>) {
    let path = session.run(pid_file);
    let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let pid = file.lines().next().unwrap_or_default().trim().to_owned();
    let kill = std::process::Command::new("sh").arg("-c").arg(format!("kill -{SHUTDOWN} {pid}")).status();
    assert!(kill.unwrap().success());
    count(&world.counts.restarts);
}
