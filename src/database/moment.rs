//! Moments on the clock of the database.

/// Milliseconds since 1970, on the clock of the database.
pub(crate) type Moment = u64;
