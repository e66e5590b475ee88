//! Whether a key may be removed from the keyring.

use crate::keys::Fingerprint;
use crate::reencrypt::report::status::Status;

/// Whether a key may be removed from the keyring; the result of [`Task::retire`](crate::reencrypt::Task::retire).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Retirement {
    /// The key.
    pub key: Fingerprint,
    /// The status that was read for the answer.
    pub status: Status,
}

impl Retirement {
    /// Whether no value is under the key, and no open transaction can add one. This remains true as long as no process
    /// encrypts with the key.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.values() == 0 && self.status.fenced && !self.status.stopped
    }

    /// The values under the key.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.columns().map(|(_, _, values)| values).sum()
    }

    /// The values that look like tokens but open under no key of the keyring. The key to retire is one of them, so its
    /// removal makes no difference.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.status.columns.iter().map(|column| column.unreadable).sum()
    }

    /// Each table and column, with the number of its values that are under the key, in a wrong shape or not.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.status.columns.iter().map(|column| {
            let values = column
                .keys
                .iter()
                .filter(|key| key.fingerprint == self.key)
                .map(|key| key.values + key.misshapen)
                .sum();
            (column.table.as_str(), column.column.as_str(), values)
        })
    }
}
