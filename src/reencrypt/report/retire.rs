//! Whether a key may be removed from the keyring.

use crate::keys::key::Fingerprint;
use crate::reencrypt::report::status::Status;

/// Whether a key may be removed from the keyring; made by [`Task::retire`](crate::reencrypt::Task::retire).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Retirement {
    /// The key.
    pub key: Fingerprint,
    /// The reading of everything on which the answer rests.
    pub status: Status,
}

impl Retirement {
    /// Whether no value is under the key, and none can come from a transaction that was open. It stays so as long as
    /// nobody encrypts with the key.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.values() == 0 && self.status.fenced && !self.status.stopped
    }

    /// The values under the key.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.columns().map(|(_, _, values)| values).sum()
    }

    /// Table, column, and how many of its values are under the key.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.status.columns.iter().map(|column| {
            let values = column.keys.iter().filter(|key| key.fingerprint == self.key).map(|key| key.values).sum();
            (column.table.as_str(), column.column.as_str(), values)
        })
    }
}
