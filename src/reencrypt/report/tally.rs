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
    /// Readable tokens that must stay tokens although the job is to decrypt.
    pub(crate) withheld: u64,
    /// The values under each key, in the order of the keyring.
    pub(crate) keys: Vec<u64>,
    /// The dates of the oldest and the newest readable token, in seconds since 1970.
    pub(crate) dates: Option<(u64, u64)>,
    /// The date of the newest token to write. Dates in the future do not count.
    pub(crate) newest_stale: Option<u64>,
    /// The elements of arrays after the first one of their row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) further: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    pub(crate) fn new(keys: usize) -> Self {
        Self { keys: vec![0; keys], ..Self::default() }
    }

    /// Counts a value. `now` is the time of the reading, in seconds since 1970.
    pub(crate) fn add(&mut self, verdict: &Verdict, job: Job, now: u64) {
        match verdict {
            Verdict::Plaintext => self.plaintext += 1,
            Verdict::Unreadable => self.unreadable += 1,
            Verdict::Nested | Verdict::NotText => self.withheld += 1,
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
        for (mine, theirs) in self.keys.iter_mut().zip(&other.keys) {
            *mine += theirs;
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
        self.plaintext + self.unreadable + self.withheld + self.readable()
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
        plaintext + self.unreadable + self.withheld
    }

    /// Values that are left to write.
    pub(crate) fn left(&self, job: Job) -> u64 {
        self.values() - self.done(job) - self.bad(job)
    }

    fn date(&mut self, oldest: u64, newest: u64) {
        let (from, to) = self.dates.unwrap_or((oldest, newest));
        self.dates = Some((from.min(oldest), to.max(newest)));
    }
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
