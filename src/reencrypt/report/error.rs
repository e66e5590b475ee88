//! Why a task did not run to its end.

use std::fmt;

use crate::database::{Disorder, Failure};
use crate::keys::debug_is_display;
use crate::reencrypt::report::outcome::Report;
use crate::reencrypt::report::refusal::Refusal;

/// Why a task did not run to its end. It carries no value of any column.
pub struct TaskError {
    cause: Box<Cause>,
    report: Option<Box<Report>>,
}

debug_is_display!(TaskError);

impl TaskError {
    /// Why the task refuses to work, if it does. It has written nothing, unless there is a
    /// [`report`](TaskError::report): the task can notice a wrong keyring while it runs.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.cause.refusal()
    }

    /// Whether there is a [`refusal`](TaskError::refusal).
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refusal().is_some()
    }

    /// Whether the database could not be reached, or kept failing until the task gave up. Run the task again to
    /// continue.
    #[must_use]
    pub fn is_database(&self) -> bool {
        self.cause.is_database()
    }

    /// What the task did before the error, if anything.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    pub(crate) fn with_report(self, report: Report) -> Self {
        Self { report: Some(Box::new(report)), ..self }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        if self.is_database() {
            f.write_str(". Completed work is safe: run the task again to continue")?;
        }
        Ok(())
    }
}

impl std::error::Error for TaskError {}

impl From<Cause> for TaskError {
    fn from(cause: Cause) -> Self {
        Self { cause: Box::new(cause), report: None }
    }
}

impl From<Refusal> for TaskError {
    fn from(refusal: Refusal) -> Self {
        Cause::from(refusal).into()
    }
}

impl From<Failure> for TaskError {
    fn from(failure: Failure) -> Self {
        Cause::from(failure).into()
    }
}

/// Why an operation was refused or failed.
#[derive(Debug)]
pub(crate) enum Cause {
    Refused(Refusal),
    Failed(Failure),
}

impl Cause {
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) => None,
        }
    }

    pub(crate) fn is_database(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.is_database())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Disorder> for TaskError {
    fn from(disorder: Disorder) -> Self {
        Cause::from(disorder).into()
    }
}

impl From<Disorder> for Cause {
    fn from(Disorder { table, row, kind }: Disorder) -> Self {
        Self::Refused(Refusal::Row { table, row, reason: kind.to_string() })
    }
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OtherServer(seen) => Self::Refused(Refusal::OtherServer { seen }),
            Failure::Denied(seen) => Self::Refused(Refusal::Denied { seen }),
            failure => Self::Failed(failure),
        }
    }
}
