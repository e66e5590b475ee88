//! Counts what the columns hold, and what a run wrote.

use serde::{Deserialize, Serialize};

use crate::database::clock::CLOCKS;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::verdict::{Standing, Verdict};

/// What a column holds, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) null: u64,
    pub(crate) plaintext: u64,
    pub(crate) unreadable: u64,
    /// Values that must stay as they are although the job is to encrypt or to decrypt.
    pub(crate) withheld: u64,
    /// Values that hold a token in a wrong shape.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) misshapen: u64,
    /// Those of them that do not begin as a token does, so that a model may take them for plaintext.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) wrapped: u64,
    /// Those of them that hold a token under each key, in the order of the keyring.
    #[serde(default, skip_serializing_if = "are_none")]
    pub(crate) held: Vec<u64>,
    /// Plaintext in rows in which the operator declares it to be right.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) exempt: u64,
    /// The values under each key, in the order of the keyring.
    pub(crate) keys: Vec<u64>,
    /// The dates of the oldest and the newest readable token, in seconds since 1970.
    pub(crate) dates: Option<(u64, u64)>,
    /// The date of the newest token to write. Dates in the future do not count.
    pub(crate) newest_stale: Option<u64>,
    /// The elements of arrays after the first one of their row.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) further: u64,
}

impl Tally {
    pub(crate) fn new(keys: usize) -> Self {
        Self { keys: vec![0; keys], held: vec![0; keys], ..Self::default() }
    }

    /// Counts a value. `now` is the time of the reading, in seconds since 1970.
    pub(crate) fn add(&mut self, verdict: &Verdict, job: Job, now: u64) {
        match verdict {
            Verdict::Plaintext => self.plaintext += 1,
            Verdict::Unreadable => self.unreadable += 1,
            Verdict::Nested | Verdict::NotText | Verdict::Number => self.withheld += 1,
            Verdict::Exempt => self.exempt += 1,
            Verdict::Misshapen { position, begins } => {
                self.misshapen += 1;
                self.wrapped += u64::from(!begins);
                if let Some(position) = *position {
                    self.held.resize(self.keys.len(), 0);
                    self.held[position] += 1;
                }
            }
            Verdict::Token { position, timestamp, .. } => {
                self.keys[*position] += 1;
                self.date(*timestamp, *timestamp);
                if verdict.standing(job) == Standing::Left && *timestamp <= now + CLOCKS {
                    self.newest_stale = self.newest_stale.max(Some(*timestamp));
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.null += other.null;
        self.plaintext += other.plaintext;
        self.unreadable += other.unreadable;
        self.withheld += other.withheld;
        self.misshapen += other.misshapen;
        self.wrapped += other.wrapped;
        self.exempt += other.exempt;
        // A document without such values does not have the list.
        self.held.resize(self.held.len().max(other.held.len()), 0);
        for (mine, theirs) in [(&mut self.keys, &other.keys), (&mut self.held, &other.held)] {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
        if let Some((oldest, newest)) = other.dates {
            self.date(oldest, newest);
        }
        self.newest_stale = self.newest_stale.max(other.newest_stale);
        self.further += other.further;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.cells() - self.further
    }

    /// Values and `NULL`s. In an array column, each element counts, and so does an array without elements.
    pub(crate) fn cells(&self) -> u64 {
        self.null + self.values()
    }

    /// Values of any kind.
    pub(crate) fn values(&self) -> u64 {
        self.plaintext + self.unreadable + self.withheld + self.misshapen + self.exempt + self.readable()
    }

    /// Values under any key of the keyring.
    pub(crate) fn readable(&self) -> u64 {
        self.keys.iter().sum()
    }

    /// Values that need no change.
    pub(crate) fn done(&self, job: Job) -> u64 {
        match job {
            Job::Reencrypt | Job::Encrypt => self.keys[0],
            Job::Decrypt => self.plaintext,
        }
    }

    /// Values that the job must leave unchanged and list.
    pub(crate) fn bad(&self, job: Job) -> u64 {
        let plaintext = if job == Job::Reencrypt { self.plaintext } else { 0 };
        plaintext + self.unreadable + self.withheld + self.misshapen
    }

    /// Values that are left to write.
    pub(crate) fn left(&self, job: Job) -> u64 {
        self.values() - self.done(job) - self.bad(job) - self.exempt
    }

    fn date(&mut self, oldest: u64, newest: u64) {
        let (from, to) = self.dates.unwrap_or((oldest, newest));
        self.dates = Some((from.min(oldest), to.max(newest)));
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

fn are_none(counts: &[u64]) -> bool {
    counts.iter().all(is_none)
}

/// What was written to an encrypted column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) rewritten: u64,
    /// Swaps that came too late because the application had changed the value.
    pub(crate) raced: u64,
    /// Values left for the next pass, because their row stayed locked or the database refused the change.
    pub(crate) busy: u64,
}

impl Written {
    pub(crate) fn add(&mut self, other: &Self) {
        self.rewritten += other.rewritten;
        self.raced += other.raced;
        self.busy += other.busy;
    }
}
