//! What a cell holds, under which key.

use super::row::{Cell, Row};
use crate::keyring::Keyring;
use crate::token::Token;

/// What a keyring says of a cell.
pub(super) enum Verdict {
    /// A token; its key's position in the keyring (0 is the primary), its date, and its plaintext.
    Token { position: usize, timestamp: u64, plaintext: zeroize::Zeroizing<Vec<u8>> },
    /// Something that does not set out to be a token.
    Plaintext,
    /// A token that is damaged, or whose key is not in the keyring.
    Unreadable,
}

impl Verdict {
    pub(super) fn of(cell: &Cell, keyring: &Keyring) -> Self {
        let opened = Token::parse(&cell.bytes).and_then(|token| {
            let (position, plaintext) = keyring.open(&token)?;
            Some(Self::Token { position, timestamp: token.timestamp(), plaintext: plaintext.into() })
        });
        match opened {
            Some(verdict) => verdict,
            None if Token::looks_like_one(&cell.bytes) => Self::Unreadable,
            None => Self::Plaintext,
        }
    }

    /// Tells `see` what every cell of a row holds; `None` is `NULL`.
    pub(super) fn of_row(row: &Row, keyring: &Keyring, mut see: impl FnMut(usize, Option<&Self>)) {
        for (index, cell) in row.cells.iter().enumerate() {
            see(index, cell.as_ref().map(|cell| Self::of(cell, keyring)).as_ref());
        }
    }
}
