//! What a cell holds, under which key.

use super::row::{Cell, Row};
use crate::rotation::{Opened, Opener};
use crate::token::Token;

/// What a keyring says of a cell.
pub(super) enum Verdict<'p> {
    /// A token; its key's position in the keyring (0 is the primary), its date, and its plaintext.
    Token { position: usize, timestamp: u64, plaintext: &'p [u8] },
    /// Something that does not set out to be a token.
    Plaintext,
    /// A token that is damaged, or whose key is not in the keyring.
    Unreadable,
}

impl<'p> Verdict<'p> {
    pub(super) fn of(cell: &Cell, opener: &'p mut Opener<'_>) -> Self {
        match opener.open(&cell.bytes) {
            Some(Opened { position, timestamp, plaintext }) => Self::Token { position, timestamp, plaintext },
            None if Token::looks_like_one(&cell.bytes) => Self::Unreadable,
            None => Self::Plaintext,
        }
    }

    /// Tells `see` what every cell of a row holds; `None` is `NULL`.
    pub(super) fn of_row(row: &Row, opener: &mut Opener<'_>, mut see: impl FnMut(usize, Option<&Verdict>)) {
        for (index, cell) in row.cells.iter().enumerate() {
            see(index, cell.as_ref().map(|cell| Verdict::of(cell, opener)).as_ref());
        }
    }
}
