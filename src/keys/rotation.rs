//! Opens tokens and seals their plaintext again under the primary key, for one thread of the task.
//!
//! Allocating memory, fetching random numbers and searching for the right key cost more than the cryptography. So a
//! thread reuses its buffers, fetches many random numbers at a time, and first tries the key of the last token.

use zeroize::Zeroizing;

use crate::keys::fernet::held::{Held, held};
use crate::keys::fernet::{Cipher, Ivs, Sealed, Token};
use crate::keys::keyring::Keyring;

/// The opener and the sealer of one thread.
pub(crate) struct Rotation<'k> {
    pub(crate) opener: Opener<'k>,
    pub(crate) sealer: Sealer<'k>,
}

impl<'k> Rotation<'k> {
    pub(crate) fn new(keyring: &'k Keyring) -> Self {
        Self { opener: Opener::new(keyring), sealer: Sealer::new(keyring) }
    }
}

/// Opens tokens under any key of a keyring.
pub(crate) struct Opener<'k> {
    keyring: &'k Keyring,
    /// Position of the key that opened the last token. Before and after a rotation, one key opens nearly all tokens.
    likely: usize,
    decoded: Vec<u8>,
    plaintext: Zeroizing<Vec<u8>>,
}

/// The properties of an opened token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Position of its key in the keyring; 0 is the primary key.
    pub(crate) position: usize,
    /// The date in the token, in seconds since 1970.
    pub(crate) timestamp: u64,
}

impl<'k> Opener<'k> {
    pub(crate) fn new(keyring: &'k Keyring) -> Self {
        Self { keyring, likely: 0, decoded: Vec::new(), plaintext: Zeroizing::default() }
    }

    /// Opens a token in either form.
    pub(crate) fn open(&mut self, token: &[u8]) -> Option<Opened> {
        let token = Token::parse(token, &mut self.decoded)?;
        self.likely = self.keyring.open(&token, self.likely, &mut self.plaintext)?;
        Some(Opened { position: self.likely, timestamp: token.timestamp() })
    }

    /// The plaintext of the token that was opened last.
    pub(crate) fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// Whether that plaintext is itself a token under any key of the keyring.
    pub(crate) fn has_opened_a_token(&self) -> bool {
        self.keyring.decrypt(&self.plaintext).map(Zeroizing::new).is_ok()
    }

    /// The token inside a value, if there is one. Keeps the plaintext of the token that was opened last.
    pub(crate) fn held_in(&self, value: &[u8]) -> Option<Held> {
        let mut plaintext = Zeroizing::default();
        held(value, |token| self.keyring.open(token, 0, &mut plaintext))
    }
}

/// Seals under the primary key of a keyring.
pub(crate) struct Sealer<'k> {
    primary: &'k Cipher,
    ivs: Ivs,
    read_back: Zeroizing<Vec<u8>>,
}

impl<'k> Sealer<'k> {
    fn new(keyring: &'k Keyring) -> Self {
        Self { primary: keyring.primary_cipher(), ivs: Ivs::new(), read_back: Zeroizing::default() }
    }

    /// Seals the plaintext as a token dated `timestamp`, and returns it only if it can be read back.
    ///
    /// The new token is about to overwrite the old one. So any damage to it, by a defect of this code or of the
    /// machine, must be detected first.
    pub(crate) fn seal(&mut self, plaintext: &[u8], timestamp: u64) -> Option<Sealed> {
        let sealed = self.primary.seal_at(plaintext, timestamp, self.ivs.next());
        self.holds(&sealed.token(), plaintext).then_some(sealed)
    }

    fn holds(&mut self, token: &Token<'_>, plaintext: &[u8]) -> bool {
        self.primary.open(token, &mut self.read_back).is_some() && *self.read_back == plaintext
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::fernet::iv::Iv;
    use crate::keys::key::Key;

    #[test]
    fn rotates_tokens_in_any_order() {
        let keys = [(); 3].map(|()| Key::generate());
        let keyring = Keyring::new(keys.clone()).unwrap();
        let Rotation { mut opener, mut sealer } = Rotation::new(&keyring);
        for (date, length) in [40, 0, 1000, 16, 15, 300, 1, 0, 1001, 40].into_iter().enumerate() {
            for position in [1, 0, 2, 2, 1] {
                let value = vec![position as u8; length];
                let date = date as u64;
                let old = Cipher::new(&keys[position]).seal_at(&value, date, Iv::random()).into_text();
                let opened = opener.open(old.as_bytes()).unwrap();
                assert_eq!((opened, opener.plaintext()), (Opened { position, timestamp: date }, &*value));
                let new = sealer.seal(opener.plaintext(), date).unwrap().into_raw();
                let opened = opener.open(&new).unwrap();
                assert_eq!((opened, opener.plaintext()), (Opened { position: 0, timestamp: date }, &*value));
            }
            assert!(opener.open(&Cipher::new(&Key::generate()).seal(b"").into_raw()).is_none());
        }
    }

    #[test]
    fn a_damaged_token_is_not_written() {
        let keyring = Keyring::new([Key::generate()]).unwrap();
        let mut sealer = Sealer::new(&keyring);
        let raw = sealer.seal(b"secret", 0).unwrap().into_raw();
        let mut holds = |raw: &[u8], plaintext: &[u8]| {
            Token::parse(raw, &mut Vec::new()).is_some_and(|token| sealer.holds(&token, plaintext))
        };
        assert!(holds(&raw, b"secret"));
        assert!(!holds(&raw, b"secreT"));
        for bit in 0..8 * raw.len() {
            let mut raw = raw.clone();
            raw[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&raw, b"secret"));
        }
    }
}
