//! The reading half of a worker: claims ranges, reads their pages, and decides what to write.

use std::time::Duration;

use crate::database::{Change, Circle, KeyValue, Page, PlannedTable, Row, Session, SwapRows, TaskConnection};
use crate::keys::Rotation;
use crate::reencrypt::report::{Place, Problem, ProblemKind, Standing, Tally, TaskError, Verdict};
use crate::reencrypt::run::{Claim, ClaimNumber, Claimed, Range};
use crate::reencrypt::walk::decision::decide;
use crate::reencrypt::walk::shared::{Mode, Shared};
use crate::reencrypt::walk::weight::is_too_large;
use crate::targets::printable;

/// The time between two requests for a range while other processes hold all ranges.
const NAP: Duration = Duration::from_millis(50);
/// The pause before a range is tried again in a later pass. It grows with each pass, so that locks can end.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the reading half passes to the writing half.
pub(crate) enum Message {
    /// Pages of this range follow.
    Begin(Claim),
    Page(Prepared),
    /// The range has no more rows.
    End,
}

/// A page that was read, with its counts and the changes to write.
pub(crate) struct Prepared {
    pub(crate) range: Range,
    /// One entry per column of the table.
    pub(crate) tallies: Vec<Tally>,
    pub(crate) changes: Vec<Change>,
    pub(crate) problems: Vec<Problem>,
    /// The values that are left to write, if nothing is written.
    pub(crate) stale: Vec<Problem>,
}

pub(crate) struct Reader<'a, C: TaskConnection> {
    shared: &'a Shared<'a, C>,
    worker: usize,
    rotation: Rotation<'a>,
    claim: Option<Claim>,
    circle: Circle,
    /// The last claims. The writing half may still work on them.
    known: Vec<ClaimNumber>,
    pass: u32,
}

impl<'a, C: TaskConnection> Reader<'a, C> {
    pub(crate) fn new(shared: &'a Shared<'a, C>, worker: usize) -> Self {
        let rotation = Rotation::new(&shared.settings.keyring);
        Self { shared, worker, rotation, claim: None, circle: Circle::new(), known: Vec::new(), pass: 1 }
    }

    /// The next message for the writing half; `None` when the pass is over or was stopped.
    pub(crate) fn next(&mut self, session: &mut Session<'_, C>) -> Result<Option<Message>, TaskError> {
        let shared = self.shared;
        while !shared.is_stopping() {
            let Some(claim) = &mut self.claim else {
                shared.heartbeat.wait(session, || shared.is_stopping())?;
                match shared.heartbeat.store.claim(session, self.worker, &self.known)? {
                    Claimed::Range(claim) => {
                        shared.heartbeat.idle(false);
                        self.begin(session, &claim);
                        return Ok(Some(Message::Begin(claim)));
                    }
                    Claimed::Wait => {
                        shared.heartbeat.idle(true);
                        session.pause(NAP);
                    }
                    Claimed::Over => break,
                }
                continue;
            };
            if shared.is_lost(claim.number) {
                self.claim = None;
                continue;
            }
            let table = shared.plan.table(claim.range.table);
            let rows_allowed = shared.heartbeat.throttle.page(shared.batch_size.rows());
            let limit = rows_allowed.min(table.max_rows(C::Backend::MAX_BINDS));
            let mut page = Page::new(table, limit);
            page.after = claim.range.after.as_deref();
            page.until = claim.range.until.as_deref();
            let rows: Vec<Row> = session.run(|conn| page.rows(conn))??;
            // Only an empty page ends the range. An error or a page without changes does not.
            let Some(last) = rows.last().map(|row| row.key.clone()) else {
                self.claim = None;
                return Ok(Some(Message::End));
            };
            self.circle.step(table, &last)?;
            let until = if rows.len() < limit { claim.range.until.clone() } else { Some(last.clone()) };
            let range = Range { table: claim.range.table, after: claim.range.after.replace(last), until };
            shared.batch_size.read(rows.iter().flat_map(|row| &row.cells).flatten().map(|cell| cell.bytes.len()).sum());
            let longest = session.longest_statement()?;
            return self.prepare(range, &rows, longest).map(Message::Page).map(Some);
        }
        Ok(None)
    }

    fn begin(&mut self, session: &Session<'_, C>, claim: &Claim) {
        self.shared.counters.begin(claim.pass);
        let table = &self.shared.plan.table(claim.range.table).name;
        tracing::debug!(table = %printable(table), pass = claim.pass, claim = claim.number, "range claimed");
        if claim.pass > self.pass {
            self.pass = claim.pass;
            session.pause((PAUSE * 2u32.saturating_pow(claim.pass - 2)).min(LONGEST_PAUSE));
        }
        // Two claims may be on their way to the writing half, which holds a third.
        self.known.push(claim.number);
        if self.known.len() > 4 {
            self.known.remove(0);
        }
        self.claim = Some(claim.clone());
        self.circle = Circle::new();
    }

    fn prepare(&mut self, range: Range, rows: &[Row], longest: u64) -> Result<Prepared, TaskError> {
        let Shared { settings, plan, mode, counters, .. } = self.shared;
        let position = range.table;
        let table = plan.table(position);
        let mut prepared = Prepared {
            range,
            tallies: vec![Tally::new(settings.keyring.fingerprints().len()); table.columns.len()],
            changes: Vec::new(),
            problems: Vec::new(),
            stale: Vec::new(),
        };
        let job = settings.job;
        let now = self.shared.clock.seconds();
        for row in rows {
            let Prepared { tallies, changes, problems, stale, .. } = &mut prepared;
            let see = |place: Place, verdict: Option<&Verdict>| {
                let tally = &mut tallies[place.column];
                tally.further += u64::from(place.is_further());
                let Some(verdict) = verdict else {
                    tally.null += 1;
                    return;
                };
                tally.add(verdict, job, now);
                match verdict.standing(job) {
                    Standing::Left if *mode == Mode::Read => {
                        let mut problem = problem(table, place, &row.key, verdict);
                        // A statement holds the whole cell, which may be an array.
                        let cell = row.cells[place.column].as_ref();
                        let is_too_large = |cell| {
                            let planned = &table.columns[place.column];
                            is_too_large::<C::Backend>(&row.key, cell, planned, verdict, job, longest)
                        };
                        if cell.is_some_and(is_too_large) {
                            problem.kind = ProblemKind::TooLarge;
                        }
                        stale.push(problem);
                    }
                    Standing::Bad => problems.push(problem(table, place, &row.key, verdict)),
                    Standing::Left | Standing::Done => {}
                }
            };
            match mode {
                Mode::Read => Verdict::of_row(row, table, job, &mut self.rotation.opener, see),
                Mode::DryRun | Mode::Write => changes.extend(decide(row, table, job, &mut self.rotation, now, see)?),
            }
        }
        counters.see(position, rows.len(), prepared.problems.len());
        if *mode == Mode::Write {
            self.shared.check_keyring(position, &prepared.tallies)?;
        }
        Ok(prepared)
    }
}

fn problem(table: &PlannedTable, place: Place, key: &[KeyValue], verdict: &Verdict) -> Problem {
    let kind = match verdict {
        Verdict::Token { .. } => ProblemKind::Stale,
        Verdict::Plaintext | Verdict::Exempt => ProblemKind::Plaintext,
        Verdict::Unreadable => ProblemKind::Unreadable,
        Verdict::Nested => ProblemKind::Nested,
        Verdict::NotText => ProblemKind::NotText,
        Verdict::Misshapen { .. } => ProblemKind::Misshapen,
        Verdict::Number => ProblemKind::Number,
    };
    let column = table.columns[place.column].name.clone();
    let row = match place.subscripts() {
        subscripts if subscripts.is_empty() => table.label(key),
        subscripts => format!("{}, {column}{subscripts}", table.label(key)),
    };
    Problem { table: table.name.to_string(), column, row, kind }
}
