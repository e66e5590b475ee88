//! One run: its passes, the ranges that it hands out, and the processes that take part.
//!
//! Everything here is pure: the clock, the names of the processes and the row keys are arguments. The same rules
//! therefore hold for a single process, which keeps the run in its memory, and for many, which keep it in the database.
//!
//! A mistake in here loses no value. Values are written by compare and swap, and only the proof, which reads everything,
//! says that nothing is left. At worst, work is done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::database::{KeyValue, Moment, Plan};
use crate::reencrypt::report::{ColumnReport, Ending, Job, Tally, Written};
use crate::reencrypt::run::claim::{Claim, ClaimNumber, ClaimProgress, LEFT, Range, whole};

/// A run ends without a proof after this many passes: rows stay locked, or somebody keeps writing under an old key.
const PASSES: u32 = 10;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) scope: Scope,
    pub(crate) started: Moment,
    pub(crate) pass: u32,
    is_paused: bool,
    phase: Phase,
    /// The processes that take part, by name.
    processes: BTreeMap<String, Member>,
    claims: ClaimNumber,
    chunks: Vec<Chunk>,
    /// The ranges for the next pass.
    left: Vec<Range>,
    /// What the first pass found, one entry per column of the plan.
    tallies: Vec<Tally>,
    /// What all passes wrote.
    written: Vec<Written>,
    /// The values that the last pass could not write.
    busy: Vec<u64>,
    newest_stale: Option<u64>,
    /// The keys under which this run or an earlier one found values to write under another key.
    #[serde(default)]
    retired: BTreeSet<String>,
}

/// What the processes of a run must have in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) job: Job,
    /// The fingerprints, in the order of the keyring.
    pub(crate) keys: Vec<String>,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    /// When its lease ends, unless it is renewed.
    until: Moment,
    /// An operator stops the processes that take part at that time, not the ones that join later.
    is_stopped: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Phase {
    Walk,
    Prove(Option<Holder>),
    Ended(Ending),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chunk {
    range: Range,
    holder: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    process: String,
    worker: usize,
    claim: ClaimNumber,
}

/// What a worker is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take the range at this position. A process that is dead held it under this claim.
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
        let mut run = Self {
            scope,
            started: now,
            pass: 1,
            is_paused: false,
            phase: Phase::Walk,
            processes: BTreeMap::new(),
            claims: 0,
            chunks: Vec::new(),
            left: Vec::new(),
            tallies: vec![Tally::new(keys); columns],
            written: vec![Written::default(); columns],
            busy: vec![0; columns],
            newest_stale: None,
            retired: BTreeSet::new(),
        };
        run.open(whole(plan.tables().len()));
        run
    }

    /// Continues after a former run. No number of a claim is used again, because a slow process may still hold the claim.
    /// Retired keys stay retired, except the primary key of this run.
    pub(crate) fn after(mut self, former: &Self) -> Self {
        self.claims = former.claims;
        self.retired = former.retired.iter().filter(|key| Some(*key) != self.scope.keys.first()).cloned().collect();
        self
    }

    /// Whether this run or an earlier one had to write values of this key under another key.
    pub(crate) fn has_retired(&self, key: &str) -> bool {
        self.retired.contains(key)
    }

    /// Whether the run has ended. No process can join or continue it then.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The processes that are alive, by name.
    pub(crate) fn alive(&self, now: Moment) -> impl Iterator<Item = &str> {
        self.processes.iter().filter(move |(_, member)| member.until > now).map(|(name, _)| name.as_str())
    }

    /// How the run ended, if it did.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether the run counts this process as one of its own.
    pub(crate) fn has(&self, process: &str) -> bool {
        self.processes.contains_key(process)
    }

    /// What an operator has asked of a process.
    pub(crate) fn asked(&self, process: &str) -> Asked {
        match self.processes.get(process) {
            Some(Member { is_stopped: true, .. }) => Asked::Stop,
            _ if self.is_paused => Asked::Pause,
            _ => Asked::Run,
        }
    }

    /// Pauses all processes, also the ones that join later, or resumes them.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Asks the processes that take part now to stop.
    pub(crate) fn stop(&mut self) {
        self.processes.values_mut().for_each(|member| member.is_stopped = true);
    }

    /// Adds a process. If no other one is alive, this counts as a new start of the remaining work: no earlier pause applies,
    /// and the operator declares that nobody writes with an old primary key any more.
    pub(crate) fn join(&mut self, process: &str, now: Moment, lease: Duration) {
        if self.alive(now).next().is_none() {
            self.processes.clear();
            self.started = now;
            self.is_paused = false;
            self.newest_stale = None;
        }
        // The process that joins must not get the result of a reading that began before.
        if let Phase::Prove(holder) = &mut self.phase {
            *holder = None;
        }
        self.processes.insert(process.to_owned(), Member { until: end(now, lease), is_stopped: false });
    }

    /// Renews the lease of a process, and with it all its claims.
    pub(crate) fn beat(&mut self, process: &str, now: Moment, lease: Duration) {
        if let Some(member) = self.processes.get_mut(process) {
            member.until = end(now, lease);
        }
    }

    /// Removes a process. Others can take over its claims at once.
    pub(crate) fn leave(&mut self, process: &str) {
        self.processes.remove(process);
    }

    /// What a worker is to do. `known` are the claims that the worker knows of. If it holds another one, the answer that
    /// granted it was lost.
    pub(crate) fn next(&self, process: &str, worker: usize, known: &[ClaimNumber], now: Moment) -> Next {
        if !matches!(self.phase, Phase::Walk) || !self.has(process) {
            return Next::Over;
        }
        let dead = |holder: &Holder| {
            let is_mine = holder.process == process && holder.worker == worker;
            if is_mine { !known.contains(&holder.claim) } else { !self.is_alive(&holder.process, now) }
        };
        let free = self.chunks.iter().enumerate().find_map(|(position, chunk)| match &chunk.holder {
            None => Some(Next::Take { position, dead: None }),
            Some(holder) => dead(holder).then_some(Next::Take { position, dead: Some(holder.claim) }),
        });
        free.unwrap_or(Next::Wait)
    }

    /// The range at a position that [`next`](Run::next) returned.
    pub(crate) fn range(&self, position: usize) -> &Range {
        &self.chunks[position].range
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
        let chunk = &mut self.chunks[position];
        if let Some(middle) = middle {
            let rest = Range { after: Some(middle.clone()), ..chunk.range.clone() };
            chunk.range.until = Some(middle);
            // Right after it: ranges are handed out in the order of the tables.
            self.chunks.insert(position + 1, Chunk { range: rest, holder: None });
        }
        let chunk = &mut self.chunks[position];
        chunk.holder = Some(Holder { process: process.to_owned(), worker, claim: number });
        Claim { number, pass: self.pass, range: chunk.range.clone() }
    }

    /// Adds the progress of a claim and ends the claim. Unless it `is_done`, others can claim the rest of its range.
    /// Returns `false` and changes nothing if the claim was taken over.
    pub(crate) fn settle(&mut self, claim: ClaimNumber, progress: ClaimProgress, is_done: bool, plan: &Plan) -> bool {
        let held = |chunk: &Chunk| chunk.holder.as_ref().is_some_and(|holder| holder.claim == claim);
        let Some(position) = self.chunks.iter().position(held) else { return false };
        let chunk = &mut self.chunks[position];
        let first = plan.offset(chunk.range.table);
        chunk.holder = None;
        if progress.at.is_some() {
            chunk.range.after = progress.at;
        }
        if is_done {
            self.chunks.remove(position);
        }
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

    /// What a process is to do when its workers have found the pass to be over.
    pub(crate) fn step(&mut self, process: &str, now: Moment) -> Step {
        match &self.phase {
            _ if !self.has(process) => Step::Rejoin,
            Phase::Walk => Step::Walk,
            Phase::Ended(ending) => Step::Ended(ending.clone()),
            Phase::Prove(Some(holder)) if holder.process != process && self.is_alive(&holder.process, now) => {
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

    /// Records the result of the proof: the end of the run, or ranges to walk again. Returns `false` and changes nothing if
    /// the claim was taken over.
    pub(crate) fn proven(&mut self, claim: ClaimNumber, result: Result<Ending, Vec<Range>>) -> bool {
        if !matches!(&self.phase, Phase::Prove(Some(holder)) if holder.claim == claim) {
            return false;
        }
        match result {
            Ok(ending) => self.phase = Phase::Ended(ending),
            Err(ranges) => {
                self.pass += 1;
                self.phase = Phase::Walk;
                self.open(ranges);
            }
        }
        true
    }

    /// The counts of all passes. The counts of a later reading of everything, if given, replace those of the first pass.
    pub(crate) fn columns(&self, plan: &Plan, read: Option<&[Tally]>) -> Vec<ColumnReport> {
        ColumnReport::all(self.scope.job, plan, read.unwrap_or(&self.tallies), &self.written, &self.busy)
    }

    /// The date of the newest token to write that any process has seen, in seconds since 1970.
    pub(crate) fn newest_stale(&self) -> Option<u64> {
        self.newest_stale
    }

    fn is_alive(&self, process: &str, now: Moment) -> bool {
        self.processes.get(process).is_some_and(|member| member.until > now)
    }

    fn next_claim(&mut self) -> ClaimNumber {
        self.claims += 1;
        self.claims
    }

    fn open(&mut self, ranges: Vec<Range>) {
        self.chunks = ranges.into_iter().map(|range| Chunk { range, holder: None }).collect();
    }

    fn end_pass(&mut self, tables: usize) {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() || !self.may_walk_again() {
            self.phase = Phase::Prove(None);
            return;
        }
        self.pass += 1;
        self.busy.fill(0);
        self.open(if left.len() > LEFT { whole(tables) } else { left });
    }
}

/// The end of a lease that begins now.
fn end(now: Moment, lease: Duration) -> Moment {
    now.saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
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
        run.stop();
        assert_eq!(asked(&run), [Asked::Stop; 2]);
        run.beat("a", 50, LEASE);
        run.join("c", 60, LEASE);
        assert_eq!((run.asked("a"), run.asked("c")), (Asked::Stop, Asked::Run));
    }

    #[test]
    fn a_pause_applies_to_processes_that_join_and_ends_with_the_last_process() {
        let mut run = run();
        run.pause(true);
        run.join("c", 50, LEASE);
        assert_eq!(run.asked("c"), Asked::Pause);
        run.pause(false);
        assert_eq!(asked(&run), [Asked::Run; 2]);
        run.pause(true);
        // The leases of all three are over.
        run.join("d", 150, LEASE);
        assert_eq!((run.asked("d"), run.alive(150).count()), (Asked::Run, 1));
    }

    #[test]
    fn a_process_that_the_run_has_forgotten_gets_nothing_to_do() {
        let mut run = run();
        run.join("c", 100, LEASE);
        run.beat("a", 100, LEASE);
        assert_eq!((run.step("a", 100), run.next("a", 0, &[], 100)), (Step::Rejoin, Next::Over));
        assert_eq!(run.step("c", 100), Step::Walk);
    }
}
