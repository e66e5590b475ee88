//! Statements for people: what was proven or read, when, in which columns, and how many values are under each key.

use std::time::SystemTime;

use crate::reencrypt::report::column::ColumnReport;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::outcome::{Outcome, Report};
use crate::reencrypt::report::problem::{Problem, ProblemKind};
use crate::reencrypt::report::retire::Retirement;
use crate::reencrypt::report::status::{ColumnStatus, Status};
use crate::reencrypt::report::time;
use crate::targets::printable;

const FENCED: &str = "Every transaction that began before that time has ended.";

impl Report {
    /// What was proven, or why nothing was proven, as text for people. It names columns, keys and counts, and no value.
    #[must_use]
    pub fn statement(&self) -> String {
        let sum = |count: fn(&ColumnReport) -> u64| self.columns().iter().map(count).sum();
        let stale = sum(ColumnReport::stale);
        let (job, current, bad) = (self.job(), sum(|column| column.current), sum(|column| column.bad));
        let exempt = sum(|column| column.exempt);
        let counts = Counts { job, current, stale, plaintext: self.plaintext(), bad, exempt };
        let columns = names(self.columns().iter().map(|column| (column.table.as_str(), column.column.as_str())));
        let primary = self.primary();
        let Some(proof) = self.proof() else {
            let why = match (self.outcome(), self.time_limit()) {
                (Outcome::Proven | Outcome::Incomplete, _) => "a dry run reads everything once, but not at one moment",
                (_, Some(_)) => "the time limit was reached before everything was read",
                (Outcome::Stopped | Outcome::Failed, None) => "not everything was read",
            };
            let shares = counts.shares(primary);
            let rewritten = sum(|column| column.rewritten);
            if rewritten == 0 {
                return format!("Nothing was proven: {why}. {} of {columns}: {shares}.", counts.read());
            }
            let done = match job {
                Job::Reencrypt => format!("rewrote {rewritten} of them under the primary key {primary}"),
                Job::Encrypt => format!("encrypted {rewritten} of them under the primary key {primary}"),
                Job::Decrypt => format!("decrypted {rewritten} of them"),
            };
            let read = values(counts.all());
            return format!(
                "Nothing was proven: {why}. This process read {read} of {columns}, and {done}. They were, when it read \
                 them: {shares}."
            );
        };
        let at = at(proof.moment);
        if let Some(doubt) = self.doubt() {
            let (read, shares) = (counts.read(), counts.shares(primary));
            return format!("{at}, {read} of {columns}: {shares}. It is not proven that this is all: {doubt}.");
        }
        let listed = self.problems.count();
        let except = if listed > 0 { format!(", except for {listed} that are listed") } else { String::new() };
        let state = match job {
            Job::Reencrypt | Job::Encrypt => format!("under the primary key {primary}"),
            Job::Decrypt => "plaintext".into(),
        };
        let all = values(proof.values);
        let rules =
            self.columns().iter().filter_map(|it| rule(&it.table, &it.column, it.plaintext_where.as_ref()?, it.exempt));
        let rules: String = rules.collect();
        format!("{at}, every value of {columns} was {state}{except}: {all}.{rules} {FENCED}")
    }
}

impl Report {
    /// How many of the bad values are plaintext; `None` if too many problems were found to list them all.
    fn plaintext(&self) -> Option<u64> {
        let is_plaintext = |problem: &&Problem| problem.kind == ProblemKind::Plaintext;
        (self.problems_omitted() == 0).then(|| self.problems().iter().filter(is_plaintext).count() as u64)
    }
}

impl Status {
    /// What was read, as text for people. It names columns, keys and counts, and no value.
    #[must_use]
    pub fn statement(&self) -> String {
        let (at, counts, columns) = (at(self.moment), self.counts(), self.names());
        let (read, shares) = (counts.read(), counts.shares(self.primary));
        let then = match &self.doubt {
            _ if self.stopped => "Not everything was read: the task was stopped.".into(),
            Some(doubt) => format!("That may not be all: {doubt}."),
            None if self.fenced => FENCED.into(),
            None => "Values that open transactions had written by then were not read.".into(),
        };
        let rules =
            self.columns.iter().filter_map(|it| rule(&it.table, &it.column, it.plaintext_where.as_ref()?, it.exempt));
        let rules: String = rules.collect();
        format!("{at}, {read} of {columns}: {shares}.{rules} {then}")
    }

    fn counts(&self) -> Counts {
        let keys = || self.columns.iter().flat_map(|column| &column.keys);
        let under = |is_primary| keys().filter(|key| key.is_primary == is_primary).map(|key| key.values).sum();
        let sum = |count: fn(&ColumnStatus) -> u64| self.columns.iter().map(count).sum();
        let plaintext: u64 = sum(|column| column.plaintext);
        let bad = plaintext + sum(|column| column.unreadable + column.misshapen);
        let exempt = sum(|column| column.exempt);
        let (current, stale) = (under(true), under(false));
        Counts { job: Job::Reencrypt, current, stale, plaintext: Some(plaintext), bad, exempt }
    }

    fn names(&self) -> String {
        names(self.columns.iter().map(|column| (column.table.as_str(), column.column.as_str())))
    }
}

impl Retirement {
    /// Whether the key may be removed, and why, as text for people. It names columns, keys and counts, and no value.
    #[must_use]
    pub fn statement(&self) -> String {
        let Self { key, status, .. } = self;
        let (at, counts, columns) = (at(status.moment), status.counts(), status.names());
        let all = values(counts.all());
        let under = self.values();
        if under > 0 {
            return format!("{at}, {under} of {all} of {columns} were under the key {key}.");
        }
        let none = format!("{at}, none of {all} of {columns} was under the key {key}.");
        match &status.doubt {
            _ if status.stopped => format!("{none} Not everything was read: the task was stopped."),
            Some(doubt) => format!("{none} It is not proven that this is all: {doubt}."),
            None => {
                let stays = "This remains true as long as no application encrypts with it.";
                let unreadable = match self.unreadable() {
                    0 => String::new(),
                    unreadable => format!(
                        " {} under no key of the keyring: keep this key if it may help to repair them.",
                        verb(unreadable)
                    ),
                };
                format!("{none} {FENCED} {stays}{unreadable}")
            }
        }
    }
}

struct Counts {
    job: Job,
    current: u64,
    stale: u64,
    /// How many of the bad values are plaintext, if that is known.
    plaintext: Option<u64>,
    bad: u64,
    exempt: u64,
}

impl Counts {
    fn all(&self) -> u64 {
        self.current + self.stale + self.bad + self.exempt
    }

    fn read(&self) -> String {
        match self.all() {
            1 => "1 value was read".into(),
            all => format!("{all} values were read"),
        }
    }

    fn shares(&self, primary: impl std::fmt::Display) -> String {
        let Self { job, current, stale, plaintext, bad, exempt } = self;
        let shares = match job {
            Job::Reencrypt => {
                let bad = match plaintext {
                    Some(0) => format!("{bad} not readable"),
                    Some(plaintext) => {
                        format!("{plaintext} plaintext, {} not readable", bad.saturating_sub(*plaintext))
                    }
                    None => format!("{bad} plaintext or not readable"),
                };
                format!("{current} under the primary key {primary}, {stale} under secondary keys, {bad}")
            }
            Job::Encrypt => format!(
                "{current} under the primary key {primary}, {stale} plaintext or under secondary keys, {bad} not readable"
            ),
            Job::Decrypt => format!("{current} plaintext, {stale} tokens, {bad} not readable or kept as tokens"),
        };
        if *exempt > 0 { format!("{shares}, {exempt} rightly plaintext") } else { shares }
    }
}

fn at(moment: SystemTime) -> String {
    format!("At {}, on the clock of the database", time::text(moment))
}

fn values(count: u64) -> String {
    if count == 1 { "1 value".into() } else { format!("{count} values") }
}

fn verb(count: u64) -> String {
    if count == 1 { "1 value is".into() } else { format!("{count} values are") }
}

/// What an operator has declared about the plaintext of a column, and how much there is.
fn rule(table: &str, column: &str, condition: &str, exempt: u64) -> Option<String> {
    let them = if exempt == 1 { "1 value is".into() } else { format!("{exempt} values are") };
    let rule = format!(" In {table}.{column}, {them} plaintext, which is declared to be right where {condition}.");
    (exempt > 0).then(|| printable(&rule).to_string())
}

/// `public.users (email, phone), public.posts (body)`
fn names<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for (table, column) in columns {
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    let tables = tables.iter().map(|(table, columns)| format!("{table} ({})", columns.join(", ")));
    printable(&tables.collect::<Vec<_>>().join(", ")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_grouped_by_table() {
        assert_eq!(names([("a", "x"), ("a", "y"), ("b", "z")].into_iter()), "a (x, y), b (z)");
        assert_eq!(names([("a\u{1b}", "x\n")].into_iter()), r"a\u{1b} (x\n)");
    }
}
