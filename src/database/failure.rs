//! Why a database did not do what this crate asked for.

use std::fmt::{self, Write};

use crate::database::server::url::hide_passwords;
use crate::keys::Token;
use crate::targets::Escaping;

/// A failure of the database, or of this crate when it reads an answer. It carries no value of any column.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database could not be reached, or it kept failing until the time to give up.
    Database(String),
    /// This crate cannot read an answer of the database.
    Internal(String),
    /// The database refuses this to the user, or because of a setting, in its own words.
    Denied(String),
    /// The connections lead to different servers, as described.
    OtherServer(String),
}

impl Failure {
    pub(crate) fn database(error: impl fmt::Display) -> Self {
        Self::Database(without_secrets(error))
    }

    pub(crate) fn denied(error: impl fmt::Display) -> Self {
        Self::Denied(without_secrets(error))
    }

    pub(crate) fn internal(reason: impl Into<String>) -> Self {
        Self::Internal(reason.into())
    }

    pub(crate) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Denied(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            Self::Database(error) | Self::Denied(error) => write!(f, "the database failed: {error}"),
            Self::Internal(error) => write!(f, "internal error: {error}"),
            Self::OtherServer(seen) => write!(f, "the connections lead to different servers: {seen}"),
        }
    }
}

/// The message of a database without tokens and passwords: servers and triggers may quote any value, and drivers quote
/// URLs.
pub(crate) fn without_secrets(error: impl fmt::Display) -> String {
    hide_passwords(&Token::hide_in(&error.to_string()))
}

/// The message of a driver, which may break lines, on one line.
pub(crate) fn one_line(error: impl fmt::Display) -> String {
    hide_passwords(&error.to_string()).split_whitespace().collect::<Vec<_>>().join(" ")
}
