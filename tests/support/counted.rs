//! A plaintext that counts how often it is encoded.

use std::borrow::Cow;
use std::cell::Cell;

use diesel_encrypted::{Error, Plaintext};

thread_local! {
    static ENCODED: Cell<usize> = const { Cell::new(0) };
}

/// Counts how often it is encoded on this thread.
#[derive(Debug)]
pub struct Counted;

impl Counted {
    /// Returns the number of times since the last call.
    pub fn encoded() -> usize {
        ENCODED.take()
    }
}

impl Plaintext for Counted {
    fn encode(&self) -> Result<Cow<'_, [u8]>, Error> {
        ENCODED.set(ENCODED.get() + 1);
        Ok(Cow::Borrowed(b"counted"))
    }

    fn decode(_: Vec<u8>) -> Result<Self, Error> {
        Ok(Self)
    }
}
