//! What a task makes of the values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a [`Task`](crate::reencrypt::Task) makes of the values of its columns.
///
/// | job | token under the primary key | token under a secondary key | plaintext | unreadable token |
/// |---|---|---|---|---|
/// | `Reencrypt` | stays | → token under the primary key | stays, is listed | stays, is listed |
/// | `Encrypt` | stays | → token under the primary key | → token under the primary key | stays, is listed |
/// | `Decrypt` | → plaintext | → plaintext | stays | stays, is listed |
///
/// A token keeps its date; that of a new one is the time at which it is made, on the clock of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Job {
    /// Brings every token under the primary key.
    #[default]
    Reencrypt,
    /// Brings every value under the primary key, plaintext too: the way into encryption.
    Encrypt,
    /// Makes every token the plaintext that is in it: the way out.
    Decrypt,
}

impl Job {
    /// Whether it reads or writes plaintext in statements, which a server may quote in its messages.
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
