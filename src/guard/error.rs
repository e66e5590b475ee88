//! Why no migration was written.

use std::fmt;

use diesel::result::Error as DieselError;

use crate::database::Failure;
use crate::guard::refusal::GuardRefusal;
use crate::keys::debug_is_display;

/// Why no migration was written. It carries no value of any column.
pub struct GuardError(Kind);

debug_is_display!(GuardError);

enum Kind {
    Refused(Box<GuardRefusal>),
    Failed(Failure),
}

impl GuardError {
    /// Whether a column cannot get a guard, or cannot get it yet. See [`refusal`](GuardError::refusal) for the reason.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refusal().is_some()
    }

    /// Whether the database failed.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(&self.0, Kind::Failed(failure) if failure.is_database())
    }

    /// Why a column gets no guard, if that is the reason.
    #[must_use]
    pub fn refusal(&self) -> Option<&GuardRefusal> {
        match &self.0 {
            Kind::Refused(refusal) => Some(refusal),
            Kind::Failed(_) => None,
        }
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Refused(refusal) => {
                refusal.fmt(f)?;
                refusal.remedy().map_or(Ok(()), |remedy| write!(f, " {remedy}"))
            }
            Kind::Failed(failure) => write!(f, "{failure}. No migration was written. Try again."),
        }
    }
}

impl std::error::Error for GuardError {}

impl From<GuardRefusal> for GuardError {
    fn from(refusal: GuardRefusal) -> Self {
        Self(Kind::Refused(Box::new(refusal)))
    }
}

impl From<DieselError> for GuardError {
    fn from(error: DieselError) -> Self {
        Self(Kind::Failed(Failure::database(error)))
    }
}
