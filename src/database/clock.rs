//! The clock of the database, read once.

use std::time::Instant;

/// Milliseconds since 1970, on the clock of the database.
pub(crate) type Moment = u64;

/// Seconds by which the clock of an application may be ahead of the database's clock.
pub(crate) const CLOCKS: u64 = 2;

/// The clock of the database: the time that was read once, plus the time since then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DatabaseClock {
    read: Moment,
    at: Instant,
}

impl DatabaseClock {
    pub(crate) fn new(read: Moment) -> Self {
        Self { read, at: Instant::now() }
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        let elapsed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.read.saturating_add(elapsed) / 1000
    }
}
