//! One worker's reading half: claims ranges, reads their pages, and decides what is to be written.

use std::sync::PoisonError;
use std::time::Duration;

use diesel::RunQueryDsl;

use crate::database::connection::TaskConnection;
use crate::database::dialect::Dialect;
use crate::database::page::Page;
use crate::database::row::{Change, KeyValue, Row};
use crate::database::session::Session;
use crate::database::table::PlannedTable;
use crate::keys::rotation::Rotation;
use crate::reencrypt::report::error::TaskError;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::problem::{Problem, ProblemKind};
use crate::reencrypt::report::refusal::Refusal;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::verdict::{Standing, Verdict};
use crate::reencrypt::run::rules::{Claim, ClaimNumber, Range};
use crate::reencrypt::run::store::Claimed;
use crate::reencrypt::walk::shared::{Mode, Shared};

/// Between two questions whether there is more to do.
const NAP: Duration = Duration::from_millis(50);
/// Before a range is tried again in a later pass: longer in each, for whoever holds a row to let go of it.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Tokens of a column that have to be unreadable before a keyring is held to be the wrong one.
const SUSPICIOUS: u64 = 1_000;
/// The same where plaintext is encrypted: with a wrong keyring, under a key that no application has.
const SUSPICIOUS_AT_FIRST: u64 = 20;

/// What the reading half tells the writing half.
pub(crate) enum Message {
    /// Pages of this range follow.
    Begin(Claim),
    Page(Prepared),
    /// There are no more rows in the range.
    End,
}

/// A page of which is known what it holds, and what is to be written.
pub(crate) struct Prepared {
    pub(crate) range: Range,
    /// One entry per column of the table.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) changes: Vec<Change>,
    pub(crate) problems: Vec<Problem>,
    /// Values that are left to be written, for a pass that only reads.
    pub(crate) stale: Vec<Problem>,
}

pub(crate) struct Reader<'a> {
    shared: &'a Shared<'a>,
    worker: usize,
    rotation: Rotation<'a>,
    claim: Option<Claim>,
    /// The last claims, which the writing half may still be at.
    known: Vec<ClaimNumber>,
    pass: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>, worker: usize) -> Self {
        Self {
            shared,
            worker,
            rotation: Rotation::new(&shared.walker.keyring),
            claim: None,
            known: Vec::new(),
            pass: 1,
        }
    }

    /// What the writing half has to know next; `None` when the walk is over or was stopped.
    pub(crate) fn next<C: TaskConnection>(
        &mut self,
        session: &mut Session<'_, C>,
    ) -> Result<Option<Message>, TaskError> {
        while !self.shared.is_stopping() {
            let Some(claim) = &mut self.claim else {
                self.shared.pulse.wait(session, || self.shared.is_stopping())?;
                match self.shared.walker.store.claim(session, self.worker, &self.known)? {
                    Claimed::Range(claim) => {
                        self.shared.pulse.idle(false);
                        self.begin(session, &claim);
                        return Ok(Some(Message::Begin(claim)));
                    }
                    Claimed::Wait => {
                        self.shared.pulse.idle(true);
                        session.pause(NAP);
                    }
                    Claimed::Over => break,
                }
                continue;
            };
            if self.shared.is_lost(claim.number) {
                self.claim = None;
                continue;
            }
            let table = &self.shared.walker.tables[claim.range.table];
            let limit =
                self.shared.walker.throttle.page(self.shared.pace.rows()).min(table.max_rows(C::Backend::MAX_BINDS));
            let mut page = Page::new(table, limit);
            (page.after, page.until) = (claim.range.after.as_deref(), claim.range.until.as_deref());
            let rows: Vec<Row> = session.run(|conn| page.load(conn))?;
            // The only sign of the end: an error is none, and neither is a page without anything to do.
            let Some(last) = rows.last().map(|row| row.key.clone()) else {
                self.claim = None;
                return Ok(Some(Message::End));
            };
            let until = if rows.len() < limit { claim.range.until.clone() } else { Some(last.clone()) };
            let range = Range { table: claim.range.table, after: claim.range.after.replace(last), until };
            self.shared.pace.read(rows.iter().flat_map(|row| &row.cells).flatten().map(|cell| cell.bytes.len()).sum());
            return self.prepare(range, &rows).map(Message::Page).map(Some);
        }
        Ok(None)
    }

    fn begin<C: TaskConnection>(&mut self, session: &Session<'_, C>, claim: &Claim) {
        self.shared.counters.begin(claim.pass);
        let table = &self.shared.walker.tables[claim.range.table].name;
        tracing::debug!(%table, pass = claim.pass, claim = claim.number, "range claimed");
        if claim.pass > self.pass {
            self.pass = claim.pass;
            session.pause((PAUSE * 2u32.saturating_pow(claim.pass - 2)).min(LONGEST_PAUSE));
        }
        // Two may be on their way to the writing half, which holds a third.
        self.known.push(claim.number);
        if self.known.len() > 4 {
            self.known.remove(0);
        }
        self.claim = Some(claim.clone());
    }

    fn prepare(&mut self, range: Range, rows: &[Row]) -> Result<Prepared, TaskError> {
        let Shared { walker, mode, counters, .. } = self.shared;
        let table = &walker.tables[range.table];
        let mut prepared = Prepared {
            tallies: vec![Tally::new(walker.keyring.fingerprints().len()); table.columns.len()],
            changes: Vec::new(),
            problems: Vec::new(),
            stale: Vec::new(),
            range,
        };
        let (job, now) = (walker.job, walker.clock.seconds());
        for row in rows {
            let Prepared { tallies, changes, problems, stale, .. } = &mut prepared;
            let see = |column: usize, verdict: Option<&Verdict>| {
                let Some(verdict) = verdict else {
                    tallies[column].null += 1;
                    return;
                };
                tallies[column].add(verdict, job, now);
                let problem = || problem(table, column, &row.key, verdict);
                match verdict.standing(job) {
                    Standing::Left if *mode == Mode::Read => stale.push(problem()),
                    Standing::Bad => problems.push(problem()),
                    Standing::Left | Standing::Done => {}
                }
            };
            match mode {
                Mode::Read => Verdict::of_row(row, table, job, &mut self.rotation.opener, see),
                Mode::DryRun | Mode::Write => {
                    changes.extend(Change::of(row, table, job, &mut self.rotation, now, see)?);
                }
            }
        }
        counters.see(prepared.range.table, rows.len(), prepared.problems.len());
        if *mode == Mode::Write {
            self.suspect(table, prepared.range.table, &prepared.tallies)?;
        }
        Ok(prepared)
    }

    /// Stops a run whose keyring cannot be that of the data, before it has walked everything to say so.
    fn suspect(&self, table: &PlannedTable, index: usize, tallies: &[Tally]) -> Result<(), TaskError> {
        let job = self.shared.walker.job;
        let suspicious = if job == Job::Encrypt { SUSPICIOUS_AT_FIRST } else { SUSPICIOUS };
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (column, tally) in tallies.iter().enumerate() {
            let (readable, unreadable) = &mut seen[index][column];
            *readable += tally.readable();
            *unreadable += tally.unreadable;
            if *unreadable >= suspicious && *unreadable > *readable {
                let column = Some((table.name.clone(), table.columns[column].name.clone()));
                let (readable, unreadable) = (*readable, *unreadable);
                return Err(Refusal::WrongKeyring { job, column, readable, unreadable }.into());
            }
        }
        Ok(())
    }
}

fn problem(table: &PlannedTable, column: usize, key: &[KeyValue], verdict: &Verdict) -> Problem {
    let kind = match verdict {
        Verdict::Token { .. } => ProblemKind::Stale,
        Verdict::Plaintext => ProblemKind::Plaintext,
        Verdict::Unreadable => ProblemKind::Unreadable,
        Verdict::Nested => ProblemKind::Nested,
        Verdict::NotText => ProblemKind::NotText,
    };
    let column = table.columns[column].name.clone();
    Problem { table: table.name.to_string(), column, row: table.label(key), kind }
}
