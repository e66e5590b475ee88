//! Why there is no keyring, in words for the operator.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::keys::key::InvalidKey;

/// The setting that holds the keys.
pub(crate) const KEYS: &str = "DB_ENCRYPTION_KEYS";
/// The same, as a Pinakes deployment calls it.
pub(crate) const PINAKES_KEYS: &str = "PINAKES_DB_ENCRYPTION_KEYS";
/// The setting that names a file with the keys.
pub(crate) const KEYS_FILE: &str = "DB_ENCRYPTION_KEYS_FILE";

/// Why there is no keyring: which setting, which key in it, and what to do. Never carries the text of a key.
#[derive(Debug)]
pub struct KeyringError {
    source: Source,
    problem: Problem,
}

impl KeyringError {
    pub(crate) fn new(source: Source, problem: Problem) -> Self {
        Self { source, problem }
    }

    /// Whether no setting holds any key: encryption is not configured at all.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, Problem::Missing)
    }

    /// The position of the key at fault, counted from 1.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match self.problem {
            Problem::Blank { position, .. }
            | Problem::Invalid { position, .. }
            | Problem::Duplicate { position, .. } => Some(position),
            _ => None,
        }
    }
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source;
        match &self.problem {
            Problem::Missing => write!(
                f,
                "no encryption key is configured: set {KEYS} or {KEYS_FILE} \
                 (`diesel-encrypted keygen` makes a key)"
            ),
            Problem::Empty => {
                write!(f, "{source} holds no key: put at least one key there (`diesel-encrypted keygen` makes one)")
            }
            Problem::Blank { position, count } => {
                write!(f, "{source}: key {position} of {count} is empty: remove the separator too many")
            }
            Problem::Invalid { position, count, error } => {
                write!(f, "{source}: key {position} of {count} {error}; `diesel-encrypted keygen` makes a valid one")
            }
            Problem::Duplicate { first, position } => {
                write!(f, "{source}: key {position} is key {first} again: name each key once")
            }
            Problem::NotUnicode => write!(f, "{source} is not text: set it to keys in base64url"),
            Problem::Unreadable { path, error } => {
                write!(f, "{source}: cannot read the key file {path}: {error}")
            }
            Problem::KeyForPath { error } => write!(
                f,
                "{source}: cannot read the key file, whose path is not shown for it looks like a key: {error}. Name a \
                 file that holds the keys, or put the keys into {KEYS}"
            ),
            Problem::Disagrees { other } => write!(
                f,
                "{other} and {source} are both set and hold different keys: unset one of them, \
                 or make them hold the same keys in the same order"
            ),
        }
    }
}

impl StdError for KeyringError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.problem {
            Problem::Invalid { error, .. } => Some(error),
            Problem::Unreadable { error, .. } | Problem::KeyForPath { error } => Some(error),
            _ => None,
        }
    }
}

/// Who gave the keys, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    Given,
    Environment,
    Setting(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "the keyring",
            Self::Environment => "the environment",
            Self::Setting(name) => name,
        })
    }
}

#[derive(Debug)]
pub(crate) enum Problem {
    Missing,
    Empty,
    Blank { position: usize, count: usize },
    Invalid { position: usize, count: usize, error: InvalidKey },
    Duplicate { first: usize, position: usize },
    NotUnicode,
    Unreadable { path: String, error: io::Error },
    KeyForPath { error: io::Error },
    Disagrees { other: Source },
}
