//! Under which keys the values are.

use crate::database::plan::Plan;
use crate::keys::key::Fingerprint;
use crate::keys::keyring::Keyring;
use crate::reencrypt::report::outcome::Doubt;
use crate::reencrypt::report::tally::Tally;

/// Under which keys the values of the targets are; made by [`Task::status`](crate::reencrypt::Task::status).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The primary key.
    pub primary: Fingerprint,
    /// One entry per column.
    pub columns: Vec<ColumnStatus>,
    /// The moment at which the values were as this says: milliseconds since 1970, on the clock of the database.
    pub moment: u64,
    /// Whether every transaction that was open before that moment is over, or is known not to matter: what it wrote was
    /// read.
    pub fenced: bool,
    /// Why not, if that was asked for.
    pub doubt: Option<Doubt>,
    /// Whether the reading was stopped before the end.
    pub stopped: bool,
}

/// What one column holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ColumnStatus {
    /// The table, with its schema.
    pub table: String,
    /// The column.
    pub column: String,
    /// Rows.
    pub rows: u64,
    /// `NULL`s.
    pub null: u64,
    /// Values that do not set out to be tokens.
    pub plaintext: u64,
    /// Tokens that are damaged, or whose key is not in the keyring.
    pub unreadable: u64,
    /// Values under each key of the keyring, the primary first.
    pub keys: Vec<KeyStatus>,
    /// When the oldest readable token was made, in seconds since 1970.
    pub oldest: Option<u64>,
    /// When the newest readable token was made, in seconds since 1970.
    pub newest: Option<u64>,
}

/// How many values are under one key.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The key.
    pub fingerprint: Fingerprint,
    /// Whether it is the primary key.
    pub is_primary: bool,
    /// Values under it.
    pub values: u64,
}

impl Status {
    pub(crate) fn new(
        keyring: &Keyring,
        plan: &Plan,
        moment: u64,
        tallies: &[Tally],
        waited: bool,
        doubt: Option<Doubt>,
        stopped: bool,
    ) -> Self {
        let columns = ColumnStatus::all(keyring, plan, tallies);
        let fenced = waited && doubt.is_none();
        Self { primary: keyring.primary(), columns, moment, fenced, doubt, stopped }
    }

    /// Whether plaintext or unreadable values exist.
    #[must_use]
    pub fn has_bad_values(&self) -> bool {
        self.columns.iter().any(|column| column.plaintext + column.unreadable > 0)
    }

    /// Whether values under secondary keys remain.
    #[must_use]
    pub fn has_stale_values(&self) -> bool {
        self.columns.iter().flat_map(|column| &column.keys).any(|key| !key.is_primary && key.values > 0)
    }
}

impl ColumnStatus {
    /// Of all columns of the tables, to each of which there is a tally.
    pub(crate) fn all(keyring: &Keyring, plan: &Plan, tallies: &[Tally]) -> Vec<Self> {
        let columns = plan.columns().zip(tallies).map(|((table, column), tally)| Self {
            table: table.name.to_string(),
            column: column.name.clone(),
            rows: tally.rows(),
            null: tally.null,
            plaintext: tally.plaintext,
            unreadable: tally.unreadable,
            keys: keyring
                .fingerprints()
                .enumerate()
                .zip(&tally.keys)
                .map(|((position, fingerprint), values)| KeyStatus {
                    fingerprint,
                    is_primary: position == 0,
                    values: *values,
                })
                .collect(),
            oldest: tally.dates.map(|(oldest, _)| oldest),
            newest: tally.dates.map(|(_, newest)| newest),
        });
        columns.collect()
    }
}
