//! One run: its passes, the ranges that are handed out, and who works on them.
//!
//! Pure: the clock, the names of processes and the row keys come in as arguments, so that the same rules hold for one
//! process, which keeps the run in its memory, and for many, which keep it in the database (`store.rs`).
//!
//! No value is ever lost by a mistake in here. Values are written by a compare and swap, and only the proof, which
//! reads everything, says that nothing is left. What is at stake is work done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::database::moment::Moment;
use crate::database::row::KeyValue;
use crate::database::table::PlannedTable;
use crate::reencrypt::report::column::ColumnReport;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::outcome::Ending;
use crate::reencrypt::report::tally::{Tally, Written};

/// Passes after which a run ends without a proof: rows that stay locked, or somebody who keeps writing under an old key.
const PASSES: u32 = 10;
/// Ranges that are kept for the next pass one by one. If there are more, whole tables are walked again.
pub(crate) const LEFT: usize = 1_000;

/// Which claim it is, counted over all processes. It is never used twice: whoever writes under a claim that was taken
/// over is told so by the database.
pub(crate) type ClaimNumber = u64;

/// The rows of a table behind one row key, up to and including another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The position of the table in the plan.
    pub(crate) table: usize,
    pub(crate) after: Option<Vec<KeyValue>>,
    pub(crate) until: Option<Vec<KeyValue>>,
}

/// What has become of a range so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The row key up to which every row was dealt with.
    pub(crate) at: Option<Vec<KeyValue>>,
    /// One entry per column of the table.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) written: Vec<Written>,
    /// Where rows had to be left for the next pass.
    pub(crate) left: Vec<Range>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) scope: Scope,
    pub(crate) started: Moment,
    pub(crate) pass: u32,
    is_paused: bool,
    phase: Phase,
    /// The processes at work, by name.
    processes: BTreeMap<String, Member>,
    claims: ClaimNumber,
    chunks: Vec<Chunk>,
    /// For the next pass.
    left: Vec<Range>,
    /// Of the walk over everything, one entry per column of the plan.
    tallies: Vec<Tally>,
    /// Of all passes.
    written: Vec<Written>,
    /// Of the last pass.
    busy: Vec<u64>,
    newest_stale: Option<u64>,
    /// The keys under which this run and those before it have found values that were to be brought under another.
    #[serde(default)]
    retired: BTreeSet<String>,
}

/// What the processes of a run must have in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) job: Job,
    /// Fingerprints, the primary first and the others in order.
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
    /// Asked of those that were at work then: whoever joins later is not meant.
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

/// A range that a worker may work on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) number: ClaimNumber,
    pub(crate) pass: u32,
    pub(crate) range: Range,
}

/// What a worker is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take the range at this position; somebody who is dead held it under the claim.
    Take { position: usize, dead: Option<ClaimNumber> },
    /// Others hold all ranges that are left.
    Wait,
    /// The walk is over.
    Over,
}

/// What a process is to do between two walks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Walk,
    /// To prove what the walk came to, under this claim.
    Prove(ClaimNumber),
    /// Another process does.
    Wait,
    Ended(Ending),
    /// The process was taken for dead and the run went on without it, or another one has taken its place.
    Rejoin,
}

impl Run {
    /// A run that has not begun. `tables` are those of the plan.
    pub(crate) fn new(scope: Scope, tables: &[PlannedTable], keys: usize, now: Moment) -> Self {
        let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
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
        run.open(whole(tables.len()));
        run
    }

    /// Goes on from a former run. No claim has a number that one of its claims has, whose holder may only be slow; and
    /// the keys that it has retired stay so, but for one that was put in front again.
    pub(crate) fn after(mut self, former: &Self) -> Self {
        self.claims = former.claims;
        self.retired = former.retired.iter().filter(|key| Some(*key) != self.scope.keys.first()).cloned().collect();
        self
    }

    /// Whether values were to be brought from this key under another, by this run or one before.
    pub(crate) fn has_retired(&self, key: &str) -> bool {
        self.retired.contains(key)
    }

    /// Whether there is work of somebody in it that a process can join or go on with.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The processes that are alive, by name.
    pub(crate) fn alive(&self, now: Moment) -> impl Iterator<Item = &str> {
        self.processes.iter().filter(move |(_, member)| member.until > now).map(|(name, _)| name.as_str())
    }

    /// How it ended.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether this process takes part, as far as the others know.
    pub(crate) fn has(&self, process: &str) -> bool {
        self.processes.contains_key(process)
    }

    /// What is asked of a process.
    pub(crate) fn asked(&self, process: &str) -> Asked {
        match self.processes.get(process) {
            Some(Member { is_stopped: true, .. }) => Asked::Stop,
            _ if self.is_paused => Asked::Pause,
            _ => Asked::Run,
        }
    }

    /// Asks all processes to wait, and whoever joins them, or to go on.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Asks the processes that take part now to end.
    pub(crate) fn stop(&mut self) {
        self.processes.values_mut().for_each(|member| member.is_stopped = true);
    }

    /// Lets a process take part. If nobody else is alive, it is as good as a new start of what is left: whoever starts it
    /// says that from now on nobody writes with an old primary key, and no pause of former processes holds.
    pub(crate) fn join(&mut self, process: &str, now: Moment, lease: Duration) {
        if self.alive(now).next().is_none() {
            self.processes.clear();
            (self.started, self.is_paused, self.newest_stale) = (now, false, None);
        }
        // Who begins now is not told what was read before.
        if let Phase::Prove(holder) = &mut self.phase {
            *holder = None;
        }
        self.processes.insert(process.to_owned(), Member { until: end(now, lease), is_stopped: false });
    }

    /// Renews the lease of a process that takes part, and of all that it holds.
    pub(crate) fn beat(&mut self, process: &str, now: Moment, lease: Duration) {
        if let Some(member) = self.processes.get_mut(process) {
            member.until = end(now, lease);
        }
    }

    /// The process takes part no longer. What it still holds can be taken over at once.
    pub(crate) fn leave(&mut self, process: &str) {
        self.processes.remove(process);
    }

    /// What a worker is to do. `known` are the claims that it knows it has: another one in its name was granted to it by
    /// an answer that it never got.
    pub(crate) fn next(&self, process: &str, worker: usize, known: &[ClaimNumber], now: Moment) -> Next {
        if !matches!(self.phase, Phase::Walk) || !self.has(process) {
            return Next::Over;
        }
        let dead = |holder: &Holder| {
            let is_mine = holder.process == process && holder.worker == worker;
            match is_mine {
                true => !known.contains(&holder.claim),
                false => !self.is_alive(&holder.process, now),
            }
        };
        let free = self.chunks.iter().enumerate().find_map(|(position, chunk)| match &chunk.holder {
            None => Some(Next::Take { position, dead: None }),
            Some(holder) => dead(holder).then_some(Next::Take { position, dead: Some(holder.claim) }),
        });
        free.unwrap_or(Next::Wait)
    }

    /// The range at a position that [`next`](Run::next) has named.
    pub(crate) fn range(&self, position: usize) -> &Range {
        &self.chunks[position].range
    }

    /// Hands a range out. If `middle` is given, only the part up to it; the rest stays for others.
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
            // Behind it: ranges are handed out in the order of the tables.
            self.chunks.insert(position + 1, Chunk { range: rest, holder: None });
        }
        let chunk = &mut self.chunks[position];
        chunk.holder = Some(Holder { process: process.to_owned(), worker, claim: number });
        Claim { number, pass: self.pass, range: chunk.range.clone() }
    }

    /// Adds what has become of a range that was held under this claim, and lets go of it: of all of it if it `is_done`,
    /// else what is left can be claimed. Does nothing if the claim was taken over.
    pub(crate) fn settle(
        &mut self,
        claim: ClaimNumber,
        progress: Progress,
        is_done: bool,
        tables: &[PlannedTable],
    ) -> bool {
        let held = |chunk: &Chunk| chunk.holder.as_ref().is_some_and(|holder| holder.claim == claim);
        let Some(position) = self.chunks.iter().position(held) else { return false };
        let chunk = &mut self.chunks[position];
        let first: usize = tables[..chunk.range.table].iter().map(|table| table.columns.len()).sum();
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
            // Later passes see some rows only; what the columns hold is known from the first, and from the proof.
            if self.pass == 1 {
                self.tallies[first + index].merge(tally);
            }
        }
        for (index, written) in progress.written.iter().enumerate() {
            self.written[first + index].add(written);
            self.busy[first + index] += written.busy;
        }
        // More than that is not looked at one by one.
        if self.left.len() <= LEFT {
            self.left.extend(progress.left);
        }
        if self.chunks.is_empty() {
            self.end_pass(tables.len());
        }
        true
    }

    /// What a process is to do when its workers found the walk to be over.
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

    /// Whether a pass can still follow on this one.
    pub(crate) fn may_walk_again(&self) -> bool {
        self.pass < PASSES
    }

    /// What the proof came to: the end of the run, or ranges to walk again. Nothing happens, and `false` is returned, if
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

    /// What the walks have found and done, with what a later reading of everything found in place of the first walk.
    pub(crate) fn columns(&self, tables: &[PlannedTable], read: Option<&[Tally]>) -> Vec<ColumnReport> {
        ColumnReport::all(self.scope.job, tables, read.unwrap_or(&self.tallies), &self.written, &self.busy)
    }

    /// The date of the newest token that is to be written, of all that the processes have seen, in seconds since 1970.
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

/// When a lease ends that begins now.
fn end(now: Moment, lease: Duration) -> Moment {
    now.saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
}

/// All rows of all tables.
pub(crate) fn whole(tables: usize) -> Vec<Range> {
    (0..tables).map(|table| Range { table, after: None, until: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(100);

    fn run() -> Run {
        let mut run = Run::new(Scope::default(), &[], 1, 0);
        ["a", "b"].iter().for_each(|process| run.join(process, 0, LEASE));
        run
    }

    fn asked(run: &Run) -> [Asked; 2] {
        ["a", "b"].map(|process| run.asked(process))
    }

    #[test]
    fn a_stop_is_for_those_at_work_and_for_nobody_else() {
        let mut run = run();
        run.stop();
        assert_eq!(asked(&run), [Asked::Stop; 2]);
        run.beat("a", 50, LEASE);
        run.join("c", 60, LEASE);
        assert_eq!((run.asked("a"), run.asked("c")), (Asked::Stop, Asked::Run));
    }

    #[test]
    fn a_pause_holds_whoever_joins_and_ends_with_the_last() {
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
    fn who_is_not_known_any_more_gets_nothing_to_do() {
        let mut run = run();
        run.join("c", 100, LEASE);
        run.beat("a", 100, LEASE);
        assert_eq!((run.step("a", 100), run.next("a", 0, &[], 100)), (Step::Rejoin, Next::Over));
        assert_eq!(run.step("c", 100), Step::Walk);
    }
}
