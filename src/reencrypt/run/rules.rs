//! The rules of a run: its passes, the ranges that it hands out, and the processes that take part.
//!
//! The rules are pure: the clock, the names of the processes and the row keys are arguments. So the same rules hold
//! for a single process, which keeps the run in its memory, and for many, which keep it in the database.
//!
//! A mistake here loses no value. Every write is a compare and swap, and only the proof, which reads everything, shows
//! that nothing is left. At worst, processes do some work twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::database::{KeyValue, Moment, Plan};
use crate::reencrypt::report::{ColumnReport, Ending, Job, Tally, Written};
use crate::reencrypt::run::claim::{Claim, ClaimNumber, ClaimProgress, LEFT, Range, whole};
use crate::reencrypt::run::processes::Processes;
use crate::reencrypt::run::ranges::{Holder, Ranges};

/// After this many passes, a run leaves the remaining values: rows stay locked, or a program still writes old tokens.
pub(super) const PASSES: u32 = 10;

/// A run, as it is kept in memory or in the tables of the task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) scope: Scope,
    pub(crate) started: Moment,
    pub(crate) pass: u32,
    /// Whether an operator has paused all processes, including processes that join later.
    pub(crate) is_paused: bool,
    pub(super) phase: Phase,
    pub(crate) processes: Processes,
    pub(super) claims: ClaimNumber,
    pub(super) chunks: Ranges,
    /// The ranges for the next pass.
    pub(super) left: Vec<Range>,
    /// What the first pass found, one entry per column of the plan.
    pub(super) tallies: Vec<Tally>,
    /// What all passes wrote.
    pub(super) written: Vec<Written>,
    /// The values that the last pass could not write.
    pub(super) busy: Vec<u64>,
    /// The newest date, in seconds since 1970, of the tokens that the processes found and had to rewrite.
    pub(crate) newest_stale: Option<u64>,
    /// The keys whose values this run or an earlier one had to rewrite under another key.
    retired: BTreeSet<String>,
    /// See [`signature`](crate::reencrypt::run::signature): one for each key of the scope.
    pub(super) signatures: Vec<String>,
}

/// The settings that all processes of a run must share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) job: Job,
    /// The fingerprints, in the order of the keyring.
    pub(crate) keys: Vec<String>,
    /// Distinguishes keyrings with the same fingerprints: [`Keyring::check_value`](crate::Keyring::check_value).
    pub(crate) check: String,
    /// Each table with its row key and its encrypted columns.
    pub(crate) targets: Vec<String>,
}

/// What an operator has asked of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Run,
    Pause,
    Stop,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    #[default]
    Walk,
    Prove(Option<Holder>),
    Ended(Ending),
}

/// What a worker is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take the range at this position. `dead` is the claim under which a dead process held it.
    Take { position: usize, dead: Option<ClaimNumber> },
    /// Others hold all remaining ranges.
    Wait,
    /// The pass is over.
    Over,
}

/// What a process is to do between two passes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Walk,
    /// Read everything for the proof, under this claim.
    Prove(ClaimNumber),
    /// Wait for the proof of another process.
    Wait,
    Ended(Ending),
    /// The others took the process for dead and continued without it, or another run has replaced this one.
    Rejoin,
}

impl Run {
    /// A run that has not begun.
    pub(crate) fn new(scope: Scope, plan: &Plan, keys: usize, now: Moment) -> Self {
        let columns = plan.columns().count();
        Self {
            scope,
            started: now,
            pass: 1,
            chunks: Ranges::new(whole(plan.tables().len())),
            tallies: vec![Tally::new(keys); columns],
            written: vec![Written::default(); columns],
            busy: vec![0; columns],
            ..Self::default()
        }
    }

    /// Uses no claim number of a former run again, because a slow process may still hold that claim.
    pub(crate) fn after(self, former: &Self) -> Self {
        Self { claims: former.claims, ..self }
    }

    /// Keeps the retired keys of a former run, except the primary key of this run.
    pub(crate) fn remembering(mut self, former: &Self) -> Self {
        self.retired = former.retired.iter().filter(|key| Some(*key) != self.scope.keys.first()).cloned().collect();
        self
    }

    /// What processes believe of a record. The rest only divides the work.
    pub(super) fn believed(&self) -> impl Serialize {
        (&self.scope, self.started, self.newest_stale, &self.retired, self.ending())
    }

    /// Whether this run or an earlier one had to rewrite values of this key under another key.
    pub(crate) fn has_retired(&self, key: &str) -> bool {
        self.retired.contains(key)
    }

    /// Whether the run has ended. No process can join or continue it then.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// How the run ended, if it did.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// What an operator has asked of a process.
    pub(crate) fn asked(&self, process: &str) -> Asked {
        if self.processes.is_stopped(process) {
            Asked::Stop
        } else if self.is_paused {
            Asked::Pause
        } else {
            Asked::Run
        }
    }

    /// Adds a process. If no other one is alive, this counts as a new start of the remaining work: no earlier pause
    /// applies, and the operator declares that no process writes with an old primary key any more.
    pub(crate) fn join(&mut self, process: &str, now: Moment, lease: Duration) {
        if self.processes.alive(now).next().is_none() {
            self.processes = Processes::default();
            self.started = now;
            self.is_paused = false;
            self.newest_stale = None;
        }
        // The joining process must not get the result of a reading that began before it joined.
        if let Phase::Prove(holder) = &mut self.phase {
            *holder = None;
        }
        self.processes.add(process, now, lease);
    }

    /// What a worker is to do. `known` are the claims that the worker knows of. If it holds another one, the answer that
    /// granted it was lost.
    pub(crate) fn next(&self, process: &str, worker: usize, known: &[ClaimNumber], now: Moment) -> Next {
        if !matches!(self.phase, Phase::Walk) || !self.processes.has(process) {
            return Next::Over;
        }
        let is_dead = |holder: &Holder| {
            let is_mine = holder.process == process && holder.worker == worker;
            if is_mine { !known.contains(&holder.claim) } else { !self.processes.is_alive(&holder.process, now) }
        };
        self.chunks.free(is_dead).map_or(Next::Wait, |(position, dead)| Next::Take { position, dead })
    }

    /// The range at a position that [`next`](Run::next) returned.
    pub(crate) fn range(&self, position: usize) -> &Range {
        self.chunks.get(position)
    }

    /// Hands out a range. If there is a `middle`, it hands out the part up to it, and leaves the rest for others.
    pub(crate) fn take(
        &mut self,
        position: usize,
        process: &str,
        worker: usize,
        middle: Option<Vec<KeyValue>>,
    ) -> Claim {
        let number = self.next_claim();
        let holder = Holder { process: process.to_owned(), worker, claim: number };
        Claim { number, pass: self.pass, range: self.chunks.hand_out(position, holder, middle) }
    }

    /// Adds the progress of a claim and ends the claim. Unless it `is_done`, others can claim the rest of its range.
    /// Returns `false` and changes nothing if the claim was taken over.
    pub(crate) fn settle(&mut self, claim: ClaimNumber, progress: ClaimProgress, is_done: bool, plan: &Plan) -> bool {
        let Some(table) = self.chunks.release(claim, progress.at, is_done) else { return false };
        let first = plan.offset(table);
        for (index, tally) in progress.tallies.iter().enumerate() {
            self.newest_stale = self.newest_stale.max(tally.newest_stale);
            let values = self.scope.keys.iter().zip(&tally.keys).skip(1);
            let values = values.filter(|(_, values)| **values > 0 && self.scope.job != Job::Decrypt);
            self.retired.extend(values.map(|(key, _)| key.clone()));
            // Later passes read some rows only. The first pass and the proof know what the columns hold.
            if self.pass == 1 {
                self.tallies[first + index].merge(tally);
            }
        }
        for (index, written) in progress.written.iter().enumerate() {
            self.written[first + index].add(written);
            self.busy[first + index] += written.busy;
        }
        // If there are more, the next pass walks whole tables.
        if self.left.len() <= LEFT {
            self.left.extend(progress.left);
        }
        if self.chunks.is_empty() {
            self.end_pass(plan.tables().len());
        }
        true
    }

    /// What a process is to do when its workers have found that the pass is over.
    pub(crate) fn step(&mut self, process: &str, now: Moment) -> Step {
        match &self.phase {
            _ if !self.processes.has(process) => Step::Rejoin,
            Phase::Walk => Step::Walk,
            Phase::Ended(ending) => Step::Ended(ending.clone()),
            Phase::Prove(Some(holder))
                if holder.process != process && self.processes.is_alive(&holder.process, now) =>
            {
                Step::Wait
            }
            Phase::Prove(_) => {
                let claim = self.next_claim();
                self.phase = Phase::Prove(Some(Holder { process: process.to_owned(), worker: 0, claim }));
                Step::Prove(claim)
            }
        }
    }

    /// Whether another pass may follow.
    pub(crate) fn may_walk_again(&self) -> bool {
        self.pass < PASSES
    }

    /// Records the result of the proof: the end of the run, or ranges to walk again. Returns `false` and changes
    /// nothing if the claim was taken over.
    pub(crate) fn proven(&mut self, claim: ClaimNumber, result: Result<Ending, Vec<Range>>) -> bool {
        if !matches!(&self.phase, Phase::Prove(Some(holder)) if holder.claim == claim) {
            return false;
        }
        match result {
            Ok(ending) => self.phase = Phase::Ended(ending),
            Err(ranges) => {
                self.pass += 1;
                self.phase = Phase::Walk;
                self.chunks = Ranges::new(ranges);
            }
        }
        true
    }

    /// The counts of all passes. The counts of a later reading of everything, `read`, replace the counts of the first
    /// pass.
    pub(crate) fn columns(&self, plan: &Plan, read: Option<&[Tally]>) -> Vec<ColumnReport> {
        ColumnReport::all(self.scope.job, plan, read.unwrap_or(&self.tallies), &self.written, &self.busy)
    }

    /// The rows that the claims of the first pass have read so far. Of later passes, nobody knows how many there are.
    pub(crate) fn rows_read(&self, plan: &Plan) -> u64 {
        let first = |table| self.tallies.get(plan.offset(table)).map_or(0, Tally::rows);
        if self.pass == 1 { (0..plan.tables().len()).map(first).sum() } else { 0 }
    }

    fn next_claim(&mut self) -> ClaimNumber {
        self.claims += 1;
        self.claims
    }

    fn end_pass(&mut self, tables: usize) {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() || !self.may_walk_again() {
            self.phase = Phase::Prove(None);
            return;
        }
        self.pass += 1;
        self.busy.fill(0);
        self.chunks = Ranges::new(if left.len() > LEFT { whole(tables) } else { left });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(100);

    fn run() -> Run {
        let mut run = Run::new(Scope::default(), &Plan::default(), 1, 0);
        ["a", "b"].iter().for_each(|process| run.join(process, 0, LEASE));
        run
    }

    fn asked(run: &Run) -> [Asked; 2] {
        ["a", "b"].map(|process| run.asked(process))
    }

    #[test]
    fn a_stop_is_for_the_processes_that_take_part_at_that_time() {
        let mut run = run();
        run.processes.stop();
        assert_eq!(asked(&run), [Asked::Stop; 2]);
        run.processes.renew("a", 50, LEASE);
        run.join("c", 60, LEASE);
        assert_eq!((run.asked("a"), run.asked("c")), (Asked::Stop, Asked::Run));
    }

    #[test]
    fn a_pause_applies_to_processes_that_join_and_ends_with_the_last_process() {
        let mut run = run();
        run.is_paused = true;
        run.join("c", 50, LEASE);
        assert_eq!(run.asked("c"), Asked::Pause);
        run.is_paused = false;
        assert_eq!(asked(&run), [Asked::Run; 2]);
        run.is_paused = true;
        // The leases of all three are over.
        run.join("d", 150, LEASE);
        assert_eq!((run.asked("d"), run.processes.alive(150).count()), (Asked::Run, 1));
    }

    #[test]
    fn a_process_that_the_run_has_forgotten_gets_nothing_to_do() {
        let mut run = run();
        run.join("c", 100, LEASE);
        run.processes.renew("a", 100, LEASE);
        assert_eq!((run.step("a", 100), run.next("a", 0, &[], 100)), (Step::Rejoin, Next::Over));
        assert_eq!(run.step("c", 100), Step::Walk);
    }
}
