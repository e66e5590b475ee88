//! The keyring: the first key encrypts, and every key decrypts.

use std::collections::HashSet;
use std::{fmt, iter};

use crate::keys::error::Error;
use crate::keys::fernet::{Cipher, Sealed, Token};
use crate::keys::key::{Fingerprint, Key};
use crate::keys::keyring_error::{KeyringError, Source, SourceProblem};

/// One or more distinct keys in order.
///
/// The first is the *primary* key, which encrypts and decrypts. The others are *secondary* keys, which only decrypt.
///
/// `token = Fernet(primary, plaintext)`; `plaintext = first of Fernet⁻¹(key, token) over the keys`.
///
/// A keyring never changes. To rotate, create one with the new key as the primary key and
/// [`replace`](Keyring::replace) the old keyring. `Debug` shows fingerprints only.
///
/// ```
/// use diesel_encrypted::{Key, Keyring};
///
/// let old = Key::generate();
/// let token = Keyring::new([old.clone()])?.encrypt(b"secret");
///
/// let rotated = Keyring::new([Key::generate(), old])?;
/// assert_eq!(rotated.decrypt(token.as_bytes()).unwrap(), b"secret");
/// # Ok::<(), diesel_encrypted::KeyringError>(())
/// ```
pub struct Keyring {
    entries: Vec<Entry>,
    /// Whether all signing halves differ. Then no token opens under two keys, and the order of trial does not matter.
    signs_apart: bool,
}

struct Entry {
    key: Key,
    cipher: Cipher,
}

impl Keyring {
    /// Creates a keyring of `keys`, the primary key first.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if `keys` is empty or contains a key twice.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyringError> {
        Self::from_source(keys, Source::Given)
    }

    /// Encrypts the plaintext under the primary key, as a token in text form, dated now.
    ///
    /// # Panics
    ///
    /// If the operating system cannot supply random numbers.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8]) -> String {
        self.seal(plaintext).into_text()
    }

    /// Decrypts a token in either form: base64url text or raw bytes.
    ///
    /// It ignores the date in the token, so that no clock makes a stored value unreadable.
    ///
    /// # Errors
    ///
    /// An [`Error`] for which [`is_decrypt`](Error::is_decrypt) is true, if no key of the keyring opens the token.
    pub fn decrypt(&self, token: &[u8]) -> Result<Vec<u8>, Error> {
        let mut decoded = Vec::new();
        let mut plaintext = Vec::new();
        Token::parse(token, &mut decoded)
            .and_then(|token| self.open(&token, 0, &mut plaintext))
            .map(|_| plaintext)
            .ok_or_else(Error::decrypt)
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn primary(&self) -> Fingerprint {
        self.entries[0].key.fingerprint()
    }

    /// The fingerprints of all keys in order, the primary key first. There is at least one.
    pub fn fingerprints(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        self.entries.iter().map(|entry| entry.key.fingerprint())
    }

    pub(crate) fn from_source(keys: impl IntoIterator<Item = Key>, source: Source) -> Result<Self, KeyringError> {
        let mut entries: Vec<Entry> = Vec::new();
        for key in keys {
            if let Some(first) = entries.iter().position(|entry| entry.key == key) {
                let problem = SourceProblem::Duplicate { first: first + 1, position: entries.len() + 1 };
                return Err(KeyringError::new(source, problem));
            }
            let cipher = Cipher::new(&key);
            entries.push(Entry { key, cipher });
        }
        if entries.is_empty() {
            return Err(KeyringError::new(source, SourceProblem::Empty));
        }
        let signing_halves: HashSet<_> = entries.iter().map(|entry| entry.key.signing_half()).collect();
        let signs_apart = signing_halves.len() == entries.len();
        Ok(Self { entries, signs_apart })
    }

    pub(crate) fn seal(&self, plaintext: &[u8]) -> Sealed {
        self.primary_cipher().seal(plaintext)
    }

    pub(crate) fn primary_cipher(&self) -> &Cipher {
        &self.entries[0].cipher
    }

    /// Decrypts into `plaintext`, and returns the position of the first key that opens the token (0 is the primary key).
    ///
    /// It tries the key at position `likely` before the others, if that cannot change the answer.
    pub(crate) fn open(&self, token: &Token<'_>, likely: usize, plaintext: &mut Vec<u8>) -> Option<usize> {
        let first = if self.signs_apart { likely } else { 0 };
        let others = (0..self.entries.len()).filter(|position| *position != first);
        iter::once(first).chain(others).find(|position| self.entries[*position].cipher.open(token, plaintext).is_some())
    }
}

impl PartialEq for Keyring {
    /// Compares the keys and their order.
    fn eq(&self, other: &Self) -> bool {
        self.fingerprints().eq(other.fingerprints())
    }
}

impl Eq for Keyring {}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")?;
        f.debug_list().entries(self.fingerprints()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::fernet::iv::Iv;

    fn opens(keyring: &Keyring, token: &[u8], likely: usize) -> Option<(usize, Vec<u8>)> {
        let mut decoded = Vec::new();
        let mut plaintext = Vec::new();
        let position = keyring.open(&Token::parse(token, &mut decoded)?, likely, &mut plaintext)?;
        Some((position, plaintext))
    }

    #[test]
    fn the_key_that_is_tried_first_changes_nothing() {
        let keys = [(); 3].map(|()| Key::generate());
        let keyring = Keyring::new(keys.clone()).unwrap();
        for likely in 0..keys.len() {
            for (position, key) in keys.iter().enumerate() {
                let token = Cipher::new(key).seal(b"secret").into_raw();
                assert_eq!(opens(&keyring, &token, likely), Some((position, b"secret".to_vec())));
            }
            let token = Cipher::new(&Key::generate()).seal(b"secret").into_raw();
            assert_eq!(opens(&keyring, &token, likely), None);
        }
    }

    /// Both keys have the same signing half. About one token in 256 of the second key has valid padding under the first.
    #[test]
    fn keys_that_sign_alike_are_tried_in_order() {
        let key = |encrypts: &str| Key::parse(&format!("{}{encrypts}=", "A".repeat(42))).unwrap();
        let keys = [key("E"), key("I")];
        assert_eq!(keys[0].signing_half(), keys[1].signing_half());
        let second = Cipher::new(&keys[1]);
        let keyring = Keyring::new(keys).unwrap();
        let mut opened = [0; 2];
        for iv in 0..2000_u128 {
            let token = second.seal_at(b"secret", 0, Iv::chosen(iv.to_be_bytes())).into_raw();
            let (position, plaintext) = opens(&keyring, &token, 0).unwrap();
            assert_eq!(opens(&keyring, &token, 1), Some((position, plaintext)));
            opened[position] += 1;
        }
        assert!(opened[0] > 0 && opened[1] > opened[0], "{opened:?}");
    }
}
