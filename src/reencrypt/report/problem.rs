//! The values that a task left unchanged, one by one.

use std::fmt;

use serde::{Serialize, Serializer};

/// The most problems that a report lists one by one, so that its size does not grow with the table.
pub(crate) const LISTED: usize = 10_000;

/// A value that was left unchanged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// The row key: `id=7`. For an element of an array, its subscripts follow: `id=7, tags[2]`.
    pub row: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// It does not look like a token.
    Plaintext,
    /// It is a damaged token, or its key is not in the keyring. Fernet cannot tell which.
    Unreadable,
    /// A token that was not rewritten: its row stayed locked, the database refused to change it, or a program still
    /// writes such tokens.
    Stale,
    /// A value that was not rewritten, because the database accepts no statement that is long enough to write it. On MySQL
    /// and MariaDB the setting `max_allowed_packet` is the limit.
    TooLarge,
    /// A token that [`Job::Decrypt`](crate::reencrypt::Job::Decrypt) keeps, because its plaintext looks like a token
    /// itself.
    Nested,
    /// A value whose plaintext is not text, in a text column: [`Job::Decrypt`](crate::reencrypt::Job::Decrypt) keeps the
    /// token, and [`Job::Encrypt`](crate::reencrypt::Job::Encrypt) the plaintext. No model would load the other form.
    NotText,
    /// It is no token but holds one, in a wrong shape: with blanks or quotes around it, without its padding, in JSON or in
    /// another text, or encoded once more. The task neither rewrites the token nor encrypts it again.
    Misshapen,
    /// A number in a column of bytes, which SQLite allows. [`Job::Encrypt`](crate::reencrypt::Job::Encrypt) leaves it,
    /// because the number would come back as text.
    Number,
}

impl ProblemKind {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Plaintext, "plaintext"),
        (Self::Unreadable, "unreadable"),
        (Self::Stale, "stale"),
        (Self::TooLarge, "too large"),
        (Self::Nested, "nested"),
        (Self::NotText, "not text"),
        (Self::Misshapen, "wrong shape"),
        (Self::Number, "number"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// `plaintext`, `unreadable`, `stale`, `too large`, `nested`, `not text`, `wrong shape` or `number`
impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ProblemKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

/// Problems in a bounded list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    omitted: u64,
}

impl Problems {
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.listed.len() < LISTED { self.listed.push(problem) } else { self.omitted += 1 }
    }

    pub(crate) fn extend(&mut self, others: Self) {
        others.listed.into_iter().for_each(|problem| self.add(problem));
        self.omitted += others.omitted;
    }

    /// Sorts the list, so that its order does not depend on the workers.
    pub(crate) fn sorted(mut self) -> Self {
        self.listed.sort();
        self
    }

    pub(crate) fn listed(&self) -> &[Problem] {
        &self.listed
    }

    pub(crate) fn into_listed(self) -> Vec<Problem> {
        self.listed
    }

    pub(crate) fn omitted(&self) -> u64 {
        self.omitted
    }

    pub(crate) fn count(&self) -> u64 {
        self.listed.len() as u64 + self.omitted
    }

    /// The same list with more problems omitted.
    pub(crate) fn and_omitted(mut self, more: u64) -> Self {
        self.omitted += more;
        self
    }

    /// A recorded list. `all` counts the problems that are not listed too.
    pub(crate) fn recorded(listed: Vec<Problem>, all: u64) -> Self {
        let omitted = all.saturating_sub(listed.len() as u64);
        Self { listed, omitted }
    }
}
