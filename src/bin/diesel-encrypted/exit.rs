//! Exit codes, and the failures behind them.

use std::fmt;
use std::process::ExitCode;

use diesel_encrypted::discover::DiscoverError;
use diesel_encrypted::guard::{GuardError, GuardRemedy};
use diesel_encrypted::reencrypt::TaskError;
use diesel_encrypted::{KeyringError, TableName};

use crate::remedy;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Proven = 0,
    Internal = 1,
    Usage = 2,
    NotProven = 3,
    BadValues = 4,
    Refused = 5,
    Stopped = 6,
    GaveUp = 7,
}

impl Exit {
    /// The outcome in a JSON document.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Proven | Self::BadValues => "proven",
            Self::NotProven => "incomplete",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Internal | Self::Usage | Self::GaveUp => "failed",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not run to its end.
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Whether the command prints a JSON document despite this failure. It does not after a usage error.
    pub(crate) fn has_document(&self) -> bool {
        self.exit != Exit::Usage
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        Self::usage(remedy::explain_keyring(&error))
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        let exit = if error.is_refused() {
            Exit::Refused
        } else if error.is_database() {
            Exit::GaveUp
        } else {
            Exit::Internal
        };
        Self::new(exit, remedy::explain(&error))
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        let exit = if error.is_refused() { Exit::Refused } else { Exit::GaveUp };
        Self::new(exit, no_guard(&error))
    }
}

impl From<DiscoverError> for Failure {
    fn from(error: DiscoverError) -> Self {
        let exit = if error.is_database() { Exit::GaveUp } else { Exit::Internal };
        Self::new(exit, error.to_string())
    }
}

/// Why there is no guard, and the command or option that helps.
fn no_guard(error: &GuardError) -> String {
    let Some((refusal, remedy)) = error.refusal().and_then(|refusal| Some((refusal, refusal.remedy()?))) else {
        return error.to_string();
    };
    match remedy {
        GuardRemedy::Encrypt { table, column } => {
            let column = remedy::argument(&format!("{table}.{}", TableName::new(&column)));
            format!("{refusal} First run `diesel-encrypted encrypt --column {column}` until it ends with exit code 0.")
        }
        GuardRemedy::Check => format!("{refusal} Run the command again without --online or --domain."),
        GuardRemedy::Domain => format!("{refusal} Run the command again with --domain, and read its notes."),
        other => format!("{refusal} {other}"),
    }
}
