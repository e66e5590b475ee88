//! The clock of the database, without asking it again and again.

use std::time::Instant;

use super::moment::Moment;

/// The clock of the database, as it was read once and has gone on since.
#[derive(Debug, Clone, Copy)]
pub(super) struct DatabaseClock {
    read: Moment,
    at: Instant,
}

impl DatabaseClock {
    pub(super) fn new(read: Moment) -> Self {
        Self { read, at: Instant::now() }
    }

    /// Seconds since 1970.
    pub(super) fn seconds(&self) -> u64 {
        self.read / 1000 + self.at.elapsed().as_secs()
    }
}
