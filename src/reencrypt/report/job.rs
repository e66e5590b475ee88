//! What a task does with the values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a [`Task`](crate::reencrypt::Task) does with the values of its columns.
///
/// | job | token under the primary key | token under a secondary key | plaintext | unreadable token |
/// |---|---|---|---|---|
/// | `Reencrypt` | stays | becomes a token under the primary key | stays, is listed | stays, is listed |
/// | `Encrypt` | stays | becomes a token under the primary key | becomes a token under the primary key | stays, is listed |
/// | `Decrypt` | becomes plaintext | becomes plaintext | stays | stays, is listed |
///
/// A rewritten token keeps its date. A new token has the date of its creation, on the clock of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Job {
    /// Rewrites every token under the primary key.
    #[default]
    Reencrypt,
    /// Rewrites every value under the primary key, plaintext included. This starts the encryption of a column.
    Encrypt,
    /// Replaces every token by its plaintext. This ends the encryption of a column.
    Decrypt,
}

impl Job {
    /// Whether the statements of the job contain plaintext, which a server may quote in its messages.
    pub(crate) fn handles_plaintext(self) -> bool {
        self != Self::Reencrypt
    }
}

/// `re-encrypting`, `encrypting` or `decrypting`
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reencrypt => "re-encrypting",
            Self::Encrypt => "encrypting",
            Self::Decrypt => "decrypting",
        })
    }
}
