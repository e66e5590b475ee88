//! Processes of the task. They are started again whenever they end, and their results are checked.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use super::checker;
use super::values::COLUMNS;
use super::world::{World, count};
use crate::backend::other_nodes;
use crate::support::keys::{NEW, OLD, key};
use crate::support::runner::{BAD_VALUES, GAVE_UP, NOT_PROVEN, Program, Run, Running};
use crate::support::secrets::PLAINTEXT;

/// The task on all encrypted columns.
pub fn task(world: &World, url: &str, batch: usize, workers: usize) -> Program {
    let keys = [NEW, OLD].map(|number| key(number).to_text().to_string());
    let (batch, workers) = (batch.to_string(), workers.to_string());
    Program::new([
        "reencrypt",
        "--json",
        "--batch-size",
        &batch,
        "--workers",
        &workers,
        "--give-up-after",
        "60",
        "--lease",
        "1",
    ])
    .args(COLUMNS.iter().flat_map(|column| ["--column".to_owned(), format!("item.{column}")]))
    .keys(&[&keys[0], &keys[1]])
    .database(url)
    .set("DB_NODE_URLS", other_nodes(&world.db).join(" "))
    .secrets([PLAINTEXT])
}

/// A slot for one process at a time.
pub struct Slot {
    url: String,
    rng: Rng,
    process: Option<Process>,
}

struct Process {
    running: Running,
    is_killed: bool,
}

impl Slot {
    pub fn new(url: String, rng: Rng) -> Self {
        Self { url, rng, process: None }
    }

    /// Starts a process if there is none. Checks its result if it has ended.
    pub fn tend(&mut self, world: &World) {
        let Some(process) = &mut self.process else {
            let batch = *self.rng.choice(&[25, 80, 200]).unwrap();
            let workers = self.rng.usize(1..3);
            let running = task(world, &self.url, batch, workers).start();
            self.process = Some(Process { running, is_killed: false });
            return;
        };
        if process.running.has_ended() {
            // Invariant: there is a process, because `has_ended` was called on it.
            let Process { running, is_killed } = self.process.take().unwrap();
            judge(world, &running.wait(), is_killed);
        }
    }

    pub fn kill(&mut self, world: &World) {
        if let Some(process) = self.alive() {
            process.running.signal("KILL");
            process.is_killed = true;
            count(&world.counts.kills);
        }
    }

    pub fn suspend(&mut self, world: &World, time: Duration) {
        if let Some(process) = self.alive() {
            process.running.suspend(time);
            count(&world.counts.stops);
        }
    }

    fn alive(&mut self) -> Option<&mut Process> {
        let process = self.process.as_mut()?;
        if process.running.has_ended() { None } else { Some(process) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(process) = self.alive() {
            process.running.signal("KILL");
        }
    }
}

fn judge(world: &World, run: &Run, is_killed: bool) {
    count(&world.counts.runs);
    match run.code {
        -1 if is_killed => {}
        NOT_PROVEN | GAVE_UP => {}
        BAD_VALUES => {
            count(&world.counts.proofs);
            checker::only_planted_reported(world, &problems(run));
            if world.straggles.load(Relaxed) {
                world.fail(format!("a proof while a transaction was open with an old token: {}", run.stdout));
            }
            if world.given_up().is_some_and(|given_up| run.proof_moment() > given_up) {
                count(&world.counts.lasting);
                checker::nothing_under_the_old_key(world);
            }
        }
        // Code 0 would be wrong too, because problems were planted before the first process began.
        code => world.fail(format!("the task ended with {code}: {}", run.stderr)),
    }
}

/// Returns the reported problems: table, column, row key, kind.
pub fn problems(run: &Run) -> Vec<[String; 4]> {
    let text = |problem: &Value, field: &str| problem[field].as_str().unwrap().to_owned();
    let report = run.json();
    let problems = report["problems"].as_array().unwrap().iter();
    problems.map(|problem| ["table", "column", "row", "kind"].map(|field| text(problem, field))).collect()
}

/// Runs the task without failures until it proves everything but the planted problems. Returns the last run and the
/// number of runs.
pub fn to_the_end(world: &World) -> Option<(Run, usize)> {
    const MOST: usize = 5;
    for number in 1..=MOST {
        let run = task(world, &world.db.url(), 100, 1).run();
        match run.code {
            BAD_VALUES => return Some((run, number)),
            NOT_PROVEN => {}
            code => {
                world.fail(format!("without failures, the task ended with {code}: {}", run.stderr));
                return None;
            }
        }
    }
    world.fail(format!("without failures, the task proved nothing in {MOST} runs"));
    None
}
