//! The keyring: the first key encrypts, and every key decrypts.

use std::{fmt, iter};

use crate::keys::error::Error;
use crate::keys::fernet::{Cipher, Sealed, Token};
#[cfg(feature = "reencrypt")]
use crate::keys::key::hex;
use crate::keys::key::{Fingerprint, Key};
use crate::keys::keyring_error::{Conflict, KeyringError, Source, SourceProblem};

/// One or more distinct keys in order.
///
/// The first is the *primary* key, which encrypts and decrypts. The others are *secondary* keys, which only decrypt.
///
/// `token = Fernet(primary, plaintext)`; `plaintext = Fernet⁻¹(key, token)` under the key that signed the token.
///
/// No two keys of a keyring share a signing half. Fernet cannot tell such keys apart, so a token under one of them may
/// decrypt to garbage under the other. Generated keys never do.
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
}

struct Entry {
    fingerprint: Fingerprint,
    key: Key,
    cipher: Box<Cipher>,
}

impl Keyring {
    /// Creates a keyring of `keys`, the primary key first.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if `keys` is empty, contains a key twice, or contains two keys that share a signing half or a
    /// fingerprint.
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
        self.entries[0].fingerprint
    }

    /// The fingerprints of all keys in order, the primary key first. There is at least one.
    pub fn fingerprints(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        self.entries.iter().map(|entry| entry.fingerprint)
    }

    pub(crate) fn from_source(keys: impl IntoIterator<Item = Key>, source: Source) -> Result<Self, KeyringError> {
        let mut entries: Vec<Entry> = Vec::new();
        for key in keys {
            let fingerprint = key.fingerprint();
            let conflicts = entries.iter().zip(1..).find_map(|(entry, first)| {
                Some((first, conflict((entry.fingerprint, &entry.key), (fingerprint, &key))?))
            });
            if let Some((first, conflict)) = conflicts {
                let problem = SourceProblem::Conflict { first, position: entries.len() + 1, conflict };
                return Err(KeyringError::new(source, problem));
            }
            let cipher = Cipher::new(&key);
            entries.push(Entry { fingerprint, key, cipher });
        }
        if entries.is_empty() {
            return Err(KeyringError::new(source, SourceProblem::Empty));
        }
        Ok(Self { entries })
    }

    /// `HMAC-SHA256(primary, "diesel-encrypted keyring check v1" ‖ check of each key)` in hexadecimal, where the check of
    /// a key is `HMAC-SHA256(key, "diesel-encrypted key check v1")`.
    ///
    /// Two processes with the same fingerprints compare it, because a fingerprint is a name of 64 bits only. It is the
    /// same exactly for the same keys in the same order, it reveals nothing about them, and nobody without the primary
    /// key can compute it.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn check_value(&self) -> String {
        let checks = self.entries.iter().map(|entry| entry.key.derive(&[b"diesel-encrypted key check v1"]));
        let all: Vec<u8> = checks.flatten().collect();
        self.sign(0, &[b"diesel-encrypted keyring check v1", &all])
    }

    /// `HMAC-SHA256(key, parts)` in hexadecimal, under the key at this position. The first part must say what it is for.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn sign(&self, position: usize, parts: &[&[u8]]) -> String {
        hex(&self.entries[position].key.derive(parts))
    }

    pub(crate) fn seal(&self, plaintext: &[u8]) -> Sealed {
        self.primary_cipher().seal(plaintext)
    }

    pub(crate) fn primary_cipher(&self) -> &Cipher {
        &self.entries[0].cipher
    }

    /// Decrypts into `plaintext`, and returns the position of the key that opens the token (0 is the primary key).
    ///
    /// It tries the key at position `likely` before the others. That cannot change the answer, because no two keys sign
    /// alike.
    pub(crate) fn open(&self, token: &Token<'_>, likely: usize, plaintext: &mut Vec<u8>) -> Option<usize> {
        let others = (0..self.entries.len()).filter(|position| *position != likely);
        iter::once(likely)
            .chain(others)
            .find(|position| self.entries[*position].cipher.open(token, plaintext).is_some())
    }
}

/// Why two keys cannot be in one keyring, if they cannot.
fn conflict(first: (Fingerprint, &Key), second: (Fingerprint, &Key)) -> Option<Conflict> {
    if first.1 == second.1 {
        Some(Conflict::Key)
    } else if first.1.signs_as(second.1) {
        Some(Conflict::SigningHalf)
    } else if first.0 == second.0 {
        Some(Conflict::Fingerprint)
    } else {
        None
    }
}

impl PartialEq for Keyring {
    /// Compares all bytes of the keys, and their order.
    fn eq(&self, other: &Self) -> bool {
        self.entries.iter().map(|entry| &entry.key).eq(other.entries.iter().map(|entry| &entry.key))
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

    /// Two keys whose signing halves are equal, and a third.
    fn alike() -> [Key; 3] {
        let key = |encrypts: &str| Key::parse(&format!("{}{encrypts}=", "A".repeat(42))).unwrap();
        let keys = [key("E"), key("I"), Key::generate()];
        assert_eq!(keys[0].signing_half(), keys[1].signing_half());
        keys
    }

    #[test]
    fn keys_that_sign_alike_are_refused() {
        let [first, second, other] = alike();
        let refused = |keys: Vec<Key>| {
            let error = Keyring::new(keys).unwrap_err();
            (error.to_string(), error.position())
        };
        let message = |position: usize, first: usize| {
            format!(
                "the keyring: key {position} has the same signing half (its first 16 bytes) as key {first}, so a token \
                 under one may decrypt to garbage under the other. Replace one of them with a generated key"
            )
        };
        let cases = [
            (vec![first.clone(), second.clone()], (2, 1)),
            (vec![other.clone(), first.clone(), second.clone()], (3, 2)),
            (vec![second.clone(), other.clone(), first.clone()], (3, 1)),
        ];
        for (keys, (position, of)) in cases {
            assert_eq!(refused(keys), (message(position, of), Some(position)));
        }
        let text = [&other, &first, &second].map(|key| key.to_text().to_string()).join(":");
        assert_eq!(Keyring::parse(&text).unwrap_err().to_string(), message(3, 2));
        Keyring::new([first, other]).unwrap();
    }

    #[test]
    fn two_keys_of_one_name_are_refused() {
        let [first, alike, other] = alike();
        let [name, another] = [&first, &other].map(Key::fingerprint);
        assert_eq!(conflict((name, &first), (another, &other)), None);
        assert_eq!(conflict((name, &first), (name, &other)), Some(Conflict::Fingerprint));
        assert_eq!(conflict((name, &first), (another, &alike)), Some(Conflict::SigningHalf));
        assert_eq!(conflict((name, &first), (name, &first)), Some(Conflict::Key));
    }

    #[test]
    #[cfg(feature = "reencrypt")]
    fn the_check_value_is_that_of_the_keys_in_their_order() {
        let [first, alike, other] = alike();
        let check = |keys: &[&Key]| Keyring::new(keys.iter().copied().cloned()).unwrap().check_value();
        let value = check(&[&first, &other]);
        assert_eq!(value, check(&[&first, &other]));
        for keys in [&[&other, &first][..], &[&first], &[&alike, &other], &[&first, &Key::generate()]] {
            assert_ne!(check(keys), value);
        }
        let key = Key::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        // As Python computes it.
        assert_eq!(check(&[&key]), "263bfe8ab75ae862064bf760368f7daef1a2542129675e633b25ab344e5e18e7");
    }
}
