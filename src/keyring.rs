//! Keys in order: the first encrypts, all decrypt.

use std::fmt;

#[cfg(feature = "reencrypt")]
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::{Fingerprint, Key};
use crate::keyring_error::{KeyringError, Problem, Source};
use crate::token::{Cipher, Sealed, Token};

/// One or more distinct keys. The first, the *primary* key, encrypts and decrypts; the others, the *secondary* keys,
/// only decrypt.
///
/// `token = Fernet(primary, plaintext)`; `plaintext = first of Fernet⁻¹(key, token) over the keys`.
///
/// A keyring never changes. To rotate, make a new one with the new key in front and
/// [`replace`](Keyring::replace) the old one. `Debug` shows fingerprints only.
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
}

struct Entry {
    key: Key,
    cipher: Cipher,
}

impl Keyring {
    /// A keyring of `keys`, the primary first.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if there is no key, or if a key is given twice.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyringError> {
        Self::from_source(keys, Source::Given)
    }

    /// The plaintext as a token in text form, under the primary key, dated now.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8]) -> String {
        self.seal(plaintext).into_text()
    }

    /// The plaintext of a token in either form: base64url text, or raw bytes.
    ///
    /// The date in the token does not matter: at rest, no clock makes a value unreadable.
    ///
    /// # Errors
    ///
    /// An [`Error`] that [`is_decrypt`](Error::is_decrypt) if no key of the keyring opens the token.
    pub fn decrypt(&self, token: &[u8]) -> Result<Vec<u8>, Error> {
        Token::parse(token)
            .and_then(|token| self.open(&token))
            .map(|(_, plaintext)| plaintext)
            .ok_or_else(Error::decrypt)
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn primary(&self) -> Fingerprint {
        self.entries[0].key.fingerprint()
    }

    /// The fingerprints of all keys in order, the primary first. Never empty.
    pub fn fingerprints(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        self.entries.iter().map(|entry| entry.key.fingerprint())
    }

    pub(crate) fn from_source(keys: impl IntoIterator<Item = Key>, source: Source) -> Result<Self, KeyringError> {
        let mut entries: Vec<Entry> = Vec::new();
        for key in keys {
            if let Some(first) = entries.iter().position(|entry| entry.key == key) {
                let (first, position) = (first + 1, entries.len() + 1);
                return Err(KeyringError::new(source, Problem::Duplicate { first, position }));
            }
            let cipher = Cipher::new(&key);
            entries.push(Entry { key, cipher });
        }
        if entries.is_empty() {
            return Err(KeyringError::new(source, Problem::Empty));
        }
        Ok(Self { entries })
    }

    pub(crate) fn seal(&self, plaintext: &[u8]) -> Sealed {
        self.entries[0].cipher.seal(plaintext)
    }

    /// The plaintext, and the position of the key that opened the token (0 is the primary).
    pub(crate) fn open(&self, token: &Token<'_>) -> Option<(usize, Vec<u8>)> {
        self.entries.iter().enumerate().find_map(|(position, entry)| Some((position, entry.cipher.open(token)?)))
    }

    /// The plaintext under the primary key, dated `timestamp`, and read back: what is returned can be decrypted.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn reseal(&self, plaintext: &[u8], timestamp: u64) -> Option<Sealed> {
        let cipher = &self.entries[0].cipher;
        let sealed = cipher.seal_at(plaintext, timestamp);
        // The old token is about to be overwritten; after this line the new one is known to hold the same value.
        let read_back = Zeroizing::new(cipher.open(&sealed.token()?)?);
        (*read_back == plaintext).then_some(sealed)
    }
}

impl PartialEq for Keyring {
    /// The same keys in the same order.
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
