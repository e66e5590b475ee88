//! How many values are under each key.

use std::fmt::Display;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::database::Plan;
use crate::keys::{Fingerprint, Keyring};
use crate::reencrypt::report::doubt::Doubt;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::time;

/// How many values of the targets are under each key; the result of [`Task::status`](crate::reencrypt::Task::status).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The primary key.
    pub primary: Fingerprint,
    /// One entry per column.
    pub columns: Vec<ColumnStatus>,
    /// The time of the snapshot that was read, on the clock of the database.
    pub moment: SystemTime,
    /// Whether every transaction that was open before that time has ended, or is known not to matter. The task has read
    /// what those transactions wrote.
    pub fenced: bool,
    /// Why the status is not fenced, if [a proof](crate::reencrypt::Task::prove) was asked for. Without that, it is set only
    /// if the server is not the primary.
    pub doubt: Option<Doubt>,
    /// Whether the reading was stopped before its end.
    pub stopped: bool,
}

/// What one column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnStatus {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// Rows. In an array column, the other counts are of elements.
    pub rows: u64,
    /// `NULL`s, and arrays without elements.
    pub null: u64,
    /// Values that do not look like tokens.
    pub plaintext: u64,
    /// Tokens that are damaged, or whose key is not in the keyring.
    pub unreadable: u64,
    /// Values that hold a token in a wrong shape, which no task rewrites:
    /// [`ProblemKind::Misshapen`](crate::reencrypt::ProblemKind::Misshapen).
    pub misshapen: u64,
    /// Plaintext in rows in which [you declared it to be right](crate::reencrypt::Task::plaintext_where).
    pub exempt: u64,
    /// The condition for these rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plaintext_where: Option<String>,
    /// Values under each key of the keyring, the primary key first.
    pub keys: Vec<KeyStatus>,
    /// The date of the oldest readable token.
    #[serde(serialize_with = "time::serialize_option")]
    pub oldest: Option<SystemTime>,
    /// The date of the newest readable token.
    #[serde(serialize_with = "time::serialize_option")]
    pub newest: Option<SystemTime>,
}

/// How many values are under one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The key.
    #[serde(serialize_with = "as_text")]
    pub fingerprint: Fingerprint,
    /// Whether it is the primary key. It is serialized as the `role` of the key: `primary` or `secondary`.
    #[serde(rename = "role", serialize_with = "as_role")]
    pub is_primary: bool,
    /// Values under it.
    pub values: u64,
    /// Values that hold a token under it in a wrong shape.
    pub misshapen: u64,
}

pub(crate) fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_role<S: Serializer>(is_primary: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    if *is_primary { "primary" } else { "secondary" }.serialize(serializer)
}

impl Status {
    /// Whether plaintext, unreadable values, or tokens in a wrong shape exist.
    #[must_use]
    pub fn has_bad_values(&self) -> bool {
        self.columns.iter().any(|column| column.plaintext + column.unreadable + column.misshapen > 0)
    }

    /// Whether values under secondary keys remain.
    #[must_use]
    pub fn has_stale_values(&self) -> bool {
        self.columns.iter().flat_map(|column| &column.keys).any(|key| !key.is_primary && key.values > 0)
    }
}

impl ColumnStatus {
    /// One entry for each column of the plan, in the order of the tallies.
    pub(crate) fn all(keyring: &Keyring, plan: &Plan, tallies: &[Tally]) -> Vec<Self> {
        let columns = plan.columns().zip(tallies).map(|((table, column), tally)| Self {
            table: table.name.to_string(),
            column: column.name.clone(),
            rows: tally.rows(),
            null: tally.null,
            plaintext: tally.plaintext,
            unreadable: tally.unreadable,
            misshapen: tally.misshapen,
            exempt: tally.exempt,
            plaintext_where: column.plaintext_where.clone(),
            keys: keyring
                .fingerprints()
                .enumerate()
                .zip(tally.keys.iter().zip(tally.held.iter().chain(std::iter::repeat(&0))))
                .map(|((position, fingerprint), (values, misshapen))| KeyStatus {
                    fingerprint,
                    is_primary: position == 0,
                    values: *values,
                    misshapen: *misshapen,
                })
                .collect(),
            oldest: tally.dates.map(|(oldest, _)| time::of_seconds(oldest)),
            newest: tally.dates.map(|(_, newest)| time::of_seconds(newest)),
        });
        columns.collect()
    }
}
