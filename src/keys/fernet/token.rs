//! The Fernet token: how it is read, sealed and opened.

use std::time::{SystemTime, UNIX_EPOCH};

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, InnerIvInit, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::keys::fernet::iv::Iv;
use crate::keys::key::Key;

/// The number of bytes around the ciphertext.
pub(super) const OVERHEAD: usize = HEAD + SIGNATURE;
/// The number of bytes of an AES block. PKCS #7 always adds at least one byte of padding.
pub(super) const BLOCK: usize = 16;
/// The version byte, the first of every raw token.
pub(super) const VERSION: u8 = 0x80;
/// The first character of every token as text: six bits of the version byte.
const TEXT_VERSION: u8 = b'g';
/// The number of bytes before the ciphertext: version, date, IV.
const HEAD: usize = 1 + 8 + Iv::LEN;
/// The number of bytes of the HMAC at the end.
const SIGNATURE: usize = 32;

/// The number of characters of a token for a plaintext of `plaintext` bytes:
/// `4 · ⌈(57 + 16 · (⌊n / 16⌋ + 1)) / 3⌉`.
///
/// | plaintext bytes | token as text | token as bytes |
/// |---:|---:|---:|
/// | 0 – 15 | 100 | 73 |
/// | 16 – 31 | 120 | 89 |
/// | 32 – 47 | 140 | 105 |
/// | 48 – 63 | 164 | 121 |
/// | 64 – 79 | 184 | 137 |
/// | 128 – 143 | 268 | 201 |
/// | 256 – 271 | 440 | 329 |
/// | 1024 – 1039 | 1464 | 1097 |
///
/// Size a column as `VARCHAR(token_len(n) + 1)`, one more than the longest token. In a non-strict mode, a server
/// truncates a longer value to the length of the column. No token has that length, so the guard of the shipped
/// migrations refuses the truncated value.
///
/// Source: [Fernet specification, "Token Format"](https://github.com/fernet/spec/blob/master/Spec.md).
///
/// ```
/// use diesel_encrypted::token_len;
///
/// const EMAIL: usize = token_len(254);
/// assert_eq!(EMAIL, 420);
/// ```
#[must_use]
pub const fn token_len(plaintext: usize) -> usize {
    raw_token_len(plaintext).div_ceil(3) * 4
}

/// The number of bytes of a raw token, as a binary column holds it: `57 + 16 · (⌊n / 16⌋ + 1)`.
///
/// ```
/// assert_eq!(diesel_encrypted::raw_token_len(254), 313);
/// ```
#[must_use]
pub const fn raw_token_len(plaintext: usize) -> usize {
    OVERHEAD + BLOCK * (plaintext / BLOCK + 1)
}

/// `0x80 ‖ date (8 B, big endian) ‖ IV (16 B) ‖ AES-128-CBC ciphertext ‖ HMAC-SHA256 (32 B)`
///
/// A value of this type has the shape of a token. Only a keyring can show whether a key opens it.
pub(crate) struct Token<'a>(&'a [u8]);

impl<'a> Token<'a> {
    /// Reads a token in either form: base64url text or raw bytes. Text is decoded into `decoded`.
    ///
    /// Returns `None` if the shape is wrong. It accepts only the canonical spelling, so that a token has a single text
    /// form.
    pub(crate) fn parse(bytes: &'a [u8], decoded: &'a mut Vec<u8>) -> Option<Self> {
        let raw = match bytes.first() {
            Some(&VERSION) => bytes,
            Some(&TEXT_VERSION) => {
                decoded.clear();
                URL_SAFE.decode_vec(bytes, decoded).ok()?;
                decoded.as_slice()
            }
            _ => return None,
        };
        let shape = raw[0] == VERSION && raw.len() >= raw_token_len(0) && (raw.len() - OVERHEAD) % BLOCK == 0;
        shape.then_some(Self(raw))
    }

    /// The date in the token, in seconds since 1970. Anyone can read it, and it is unverified until the token is opened.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn timestamp(&self) -> u64 {
        self.0[1..9].iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte))
    }
}

/// A new token.
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    /// The token as base64url text.
    pub(crate) fn into_text(self) -> String {
        URL_SAFE.encode(self.0)
    }

    /// The token as raw bytes.
    pub(crate) fn into_raw(self) -> Vec<u8> {
        self.0
    }

    /// Borrows the token, to open it.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn token(&self) -> Token<'_> {
        Token(&self.0)
    }
}

/// A [`Key`] ready for use, with RustCrypto's AES and HMAC prepared once per key.
///
/// The tests compare it with the `fernet` crate. That crate prepares the key for every value, copies the token for every
/// key that it tries, and refuses a token that a fast clock has dated.
pub(crate) struct Cipher {
    mac: Hmac<Sha256>,
    aes: Aes128,
}

impl Cipher {
    /// Prepares the key. It is in a box, because moving it would leave a copy of the round keys behind.
    pub(crate) fn new(key: &Key) -> Box<Self> {
        let cipher = Self::boxed(key);
        wipe_stack();
        cipher
    }

    #[inline(never)]
    fn boxed(key: &Key) -> Box<Self> {
        // Invariants: each half of a `Key` has 16 bytes, as AES-128 requires. HMAC takes keys of any length.
        #[expect(clippy::expect_used)]
        Box::new(Self {
            mac: Mac::new_from_slice(key.signing_half()).expect("HMAC takes keys of any length"),
            aes: Aes128::new_from_slice(key.encryption_half()).expect("16 bytes"),
        })
    }

    /// Encrypts `plaintext` as a token dated now, with a random IV.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Sealed {
        // With a clock before 1970 the date is 0, because the value matters more than the date.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.seal_at(plaintext, now, Iv::random())
    }

    /// Encrypts `plaintext` as a token dated `timestamp`, in seconds since 1970.
    pub(crate) fn seal_at(&self, plaintext: &[u8], timestamp: u64, iv: Iv) -> Sealed {
        let length = raw_token_len(plaintext.len());
        let mut raw = Vec::with_capacity(length);
        raw.push(VERSION);
        raw.extend_from_slice(&timestamp.to_be_bytes());
        raw.extend_from_slice(iv.as_bytes());
        raw.resize(length - SIGNATURE, 0);
        let cbc = cbc::Encryptor::<&Aes128>::inner_iv_init(&self.aes, iv.as_bytes().into());
        // Invariant: `raw_token_len` counts the padding.
        #[expect(clippy::expect_used)]
        cbc.encrypt_padded_b2b_mut::<Pkcs7>(plaintext, &mut raw[HEAD..]).expect("room for the padding");
        let signature = self.mac.clone().chain_update(&raw).finalize().into_bytes();
        raw.extend_from_slice(&signature);
        Sealed(raw)
    }

    /// Decrypts into `plaintext`, if this key signed the token.
    ///
    /// It compares the signature in constant time, before it decrypts anything. It ignores the date, because no clock
    /// may make a stored value unreadable.
    pub(crate) fn open(&self, token: &Token<'_>, plaintext: &mut Vec<u8>) -> Option<()> {
        let (signed, signature) = token.0.split_at_checked(token.0.len().checked_sub(SIGNATURE)?)?;
        self.mac.clone().chain_update(signed).verify_slice(signature).ok()?;
        let (head, ciphertext) = signed.split_at_checked(HEAD)?;
        let cbc = cbc::Decryptor::<&Aes128>::inner_iv_slice_init(&self.aes, &head[HEAD - Iv::LEN..]).ok()?;
        if (1..ciphertext.len()).contains(&plaintext.capacity()) {
            // `resize` is about to move the buffer, which would leave a copy of the old plaintext in memory.
            plaintext.zeroize();
        }
        plaintext.resize(ciphertext.len(), 0);
        let Ok(length) = cbc.decrypt_padded_b2b_mut::<Pkcs7>(ciphertext, plaintext).map(<[u8]>::len) else {
            plaintext.zeroize();
            return None;
        };
        plaintext.truncate(length);
        Some(())
    }
}

/// Overwrites the part of the stack that earlier calls have used. The key schedule of AES leaves round keys there, and
/// the next prepared key would take some of them along: it has room for the round keys of several implementations of AES,
/// and only the one in use is zeroed on drop.
#[inline(never)]
fn wipe_stack() {
    let mut used = [0_u8; 16 << 10];
    used.zeroize();
    std::hint::black_box(&used);
}

#[cfg(test)]
mod tests {
    use fernet::Fernet;
    use proptest::prelude::*;

    use super::*;

    fn opened(cipher: &Cipher, token: &[u8]) -> Option<Vec<u8>> {
        let mut decoded = Vec::new();
        let mut plaintext = Vec::new();
        cipher.open(&Token::parse(token, &mut decoded)?, &mut plaintext)?;
        Some(plaintext)
    }

    proptest! {
        /// The test gives the `fernet` crate a time after every date.
        #[test]
        fn seals_and_opens_as_the_fernet_crate_does(
            plaintext: Vec<u8>,
            date in 0..u64::MAX - 60,
            flip: proptest::sample::Index,
        ) {
            let key = Key::generate();
            let ours = Cipher::new(&key);
            let theirs = Fernet::new(&key.to_text()).unwrap();
            let both_open = |raw: &[u8]| {
                [theirs.decrypt_at_time(&URL_SAFE.encode(raw), None, u64::MAX - 60).ok(), opened(&ours, raw)]
            };
            let mut raw = URL_SAFE.decode(theirs.encrypt_at_time(&plaintext, date)).unwrap();
            let iv = Iv::chosen(raw[HEAD - Iv::LEN..HEAD].try_into().unwrap());
            prop_assert_eq!(&ours.seal_at(&plaintext, date, iv).into_raw(), &raw);
            prop_assert_eq!(both_open(&raw), [Some(plaintext.clone()), Some(plaintext.clone())]);
            raw = ours.seal_at(&plaintext, date, Iv::random()).into_raw();
            prop_assert_eq!(both_open(&raw), [Some(plaintext.clone()), Some(plaintext)]);
            let bit = flip.index(raw.len() * 8);
            raw[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(both_open(&raw), [None, None]);
        }
    }

    #[test]
    fn seals_the_vectors_of_the_specification() {
        let vectors = include_str!("../../../tests/data/fernet-spec/generate.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let iv = serde_json::from_value(vector["iv"].clone()).unwrap();
            assert_eq!(text("now"), "1985-10-26T01:20:00-07:00");
            let cipher = Cipher::new(&Key::parse(text("secret")).unwrap());
            let sealed = cipher.seal_at(text("src").as_bytes(), 499_162_800, Iv::chosen(iv));
            assert_eq!(sealed.into_text(), text("token"));
        }
    }

    /// The buffers are reused: the next value must not contain any byte of the last one.
    #[test]
    fn opens_values_of_all_lengths_into_the_same_memory() {
        let cipher = Cipher::new(&Key::generate());
        let mut decoded = Vec::new();
        let mut plaintext = Vec::new();
        for length in [100, 0, 3, 16, 1000, 15, 17, 100, 1001, 0] {
            let value = vec![length as u8; length];
            let text = cipher.seal(&value).into_text();
            let token = Token::parse(text.as_bytes(), &mut decoded).unwrap();
            cipher.open(&token, &mut plaintext).unwrap();
            assert_eq!(plaintext, value);
        }
    }
}
