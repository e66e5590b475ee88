//! Why a check at the start of an application did not pass.

use std::fmt;

use crate::database::Failure;
use crate::keys::debug_is_display;
use crate::reencrypt::report::{Cause, Refusal};

/// Why a [`StartupCheck`](crate::startup::StartupCheck) did not pass. It carries no value of any column.
pub struct StartupError(Cause);

debug_is_display!(StartupError);

impl StartupError {
    /// The reason why the keyring, the targets and the data do not belong together, if the check found one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.refusal()
    }

    /// Whether there is a [`refusal`](StartupError::refusal).
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refusal().is_some()
    }

    /// Whether the database failed or took too long, so that nothing is known.
    #[must_use]
    pub fn is_database(&self) -> bool {
        self.0.is_database()
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StartupError {}

impl From<Cause> for StartupError {
    fn from(cause: Cause) -> Self {
        Self(cause)
    }
}

impl From<Refusal> for StartupError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}

impl From<Failure> for StartupError {
    fn from(failure: Failure) -> Self {
        Self(failure.into())
    }
}
