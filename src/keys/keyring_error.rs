//! The error of reading a keyring, written for the operator.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::keys::error::debug_is_display;
use crate::keys::key::InvalidKey;

/// The setting that holds the keys.
pub(crate) const KEYS: &str = "DB_ENCRYPTION_KEYS";
/// The name of the same setting in a Pinakes deployment.
pub(crate) const PINAKES_KEYS: &str = "PINAKES_DB_ENCRYPTION_KEYS";
/// The setting that holds the path of a file with the keys.
pub(crate) const KEYS_FILE: &str = "DB_ENCRYPTION_KEYS_FILE";
/// The setting that holds the path of a folder with one key a file.
pub(crate) const KEYS_FOLDER: &str = "DB_ENCRYPTION_KEYS_FOLDER";

/// Why a keyring cannot be read.
///
/// The message names the setting, the position of the key in it, and the remedy. It never contains the text of a key.
pub struct KeyringError {
    source: Source,
    problem: SourceProblem,
}

debug_is_display!(KeyringError);

impl KeyringError {
    pub(crate) fn new(source: Source, problem: SourceProblem) -> Self {
        Self { source, problem }
    }

    /// Whether no setting is set, so that encryption is not configured at all.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, SourceProblem::Missing { .. })
    }

    /// Whether a new key solves the problem: [`Key::generate`](crate::Key::generate) generates one.
    #[must_use]
    pub fn needs_key(&self) -> bool {
        matches!(self.problem, SourceProblem::Missing { .. } | SourceProblem::Empty | SourceProblem::Invalid { .. })
    }

    /// The position of the invalid key, counted from 1.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match self.problem {
            SourceProblem::Blank { position, .. }
            | SourceProblem::Invalid { position, .. }
            | SourceProblem::Conflict { position, .. } => Some(position),
            _ => None,
        }
    }
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source;
        match &self.problem {
            SourceProblem::Missing { blank: None } => {
                write!(f, "no encryption key is configured: set {KEYS} or {KEYS_FILE}")
            }
            SourceProblem::Missing { blank: Some(setting) } => write!(
                f,
                "no encryption key is configured, because {setting} holds nothing: set it or another of {KEYS}, \
                 {KEYS_FILE} and {KEYS_FOLDER}"
            ),
            SourceProblem::Empty => {
                write!(f, "{source} holds no key. Put at least one key there")
            }
            SourceProblem::Blank { position, count } => {
                write!(f, "{source}: key {position} of {count} is empty. Remove the extra separator")
            }
            SourceProblem::Invalid { position, count, error } => {
                write!(f, "{source}: key {position} of {count} {error}. Replace it with a valid key")
            }
            SourceProblem::Conflict { first, position, conflict: Conflict::Key } => {
                write!(f, "{source}: key {position} repeats key {first}. List each key once")
            }
            SourceProblem::Conflict { first, position, conflict: Conflict::SigningHalf } => write!(
                f,
                "{source}: key {position} has the same signing half (its first 16 bytes) as key {first}, so a token \
                 under one may decrypt to garbage under the other. Replace one of them with a generated key"
            ),
            SourceProblem::Conflict { first, position, conflict: Conflict::Fingerprint } => write!(
                f,
                "{source}: key {position} is another key than key {first} but has the same fingerprint, so that no \
                 report could tell them apart. Replace one of them with a generated key"
            ),
            SourceProblem::NotUnicode => write!(f, "{source} is not valid Unicode. Set it to keys in base64url"),
            SourceProblem::Unreadable { path, error } => {
                write!(
                    f,
                    "{source}: cannot read the key file {path}: {error}. \
                     Name a text file that holds the keys and that this process may read"
                )
            }
            SourceProblem::KeyForPath { error } => write!(
                f,
                "{source}: cannot read the key file (its path is not shown because it looks like a key): {error}. \
                 Name a file that holds the keys, or put the keys in {KEYS}"
            ),
            SourceProblem::NoKeyFiles { path } => write!(
                f,
                "{source}: the folder {path} holds no file whose name is a number. Name a folder with the keys in files \
                 0, 1, 2 and so on, or name a single file with {KEYS_FILE}"
            ),
            SourceProblem::OnlyStaged { path } => write!(
                f,
                "{source}: the folder {path} holds only the staged key 0, which nothing encrypts with yet. Complete the \
                 rotation that creates the key 1"
            ),
            SourceProblem::SameNumber { first, second } => {
                write!(f, "{source}: the key files {first} and {second} have the same number. Remove one of them")
            }
            SourceProblem::InvalidFile { path, error } => {
                write!(f, "{source}: {path}: the key {error}. Put exactly one valid key in each file")
            }
            SourceProblem::Disagrees { other } => write!(
                f,
                "{other} and {source} are both set and hold different keys. \
                 Unset one of them, or set both to the same keys in the same order"
            ),
        }
    }
}

impl StdError for KeyringError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.problem {
            SourceProblem::Invalid { error, .. } | SourceProblem::InvalidFile { error, .. } => Some(error),
            SourceProblem::Unreadable { error, .. } | SourceProblem::KeyForPath { error } => Some(error),
            _ => None,
        }
    }
}

/// Where the keys come from, as messages name it.
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
pub(crate) enum SourceProblem {
    /// `blank` is the first setting that holds nothing.
    Missing {
        blank: Option<&'static str>,
    },
    Empty,
    Blank {
        position: usize,
        count: usize,
    },
    Invalid {
        position: usize,
        count: usize,
        error: InvalidKey,
    },
    Conflict {
        first: usize,
        position: usize,
        conflict: Conflict,
    },
    NotUnicode,
    Unreadable {
        path: String,
        error: io::Error,
    },
    KeyForPath {
        error: io::Error,
    },
    NoKeyFiles {
        path: String,
    },
    OnlyStaged {
        path: String,
    },
    SameNumber {
        first: String,
        second: String,
    },
    InvalidFile {
        path: String,
        error: InvalidKey,
    },
    Disagrees {
        other: Source,
    },
}

/// Why two keys cannot be in one keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// They are the same key.
    Key,
    /// They share a signing half.
    SigningHalf,
    /// They share a fingerprint.
    Fingerprint,
}
