//! Why a comparison did not run to its end.

use std::fmt;

use crate::database::Failure;
use crate::keys::debug_is_display;

/// Why a comparison did not run to its end. It carries no value of any column.
pub struct DiscoverError(Failure);

debug_is_display!(DiscoverError);

impl DiscoverError {
    /// Whether the database could not be reached, or kept failing until the time to give up.
    #[must_use]
    pub fn is_database(&self) -> bool {
        self.0.is_database()
    }
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. The comparison changed nothing. Run it again.", self.0)
    }
}

impl std::error::Error for DiscoverError {}

impl From<Failure> for DiscoverError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}
