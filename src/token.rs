//! The Fernet token. This file and `key.rs` are the only ones that know the format.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernet::Fernet;

use crate::key::Key;

/// Bytes around the ciphertext: version 1, time stamp 8, IV 16, HMAC 32.
const OVERHEAD: usize = 1 + 8 + 16 + 32;
/// Bytes of an AES block; PKCS #7 always adds at least one byte of padding.
const BLOCK: usize = 16;
/// The version byte, the first of every raw token.
const VERSION: u8 = 0x80;
/// The first character of every token as text: six bits of the version byte.
const TEXT_VERSION: u8 = b'g';
/// How tokens begin as text in practice: the version byte and the zero bits of any time stamp before the year 141,000.
#[cfg(feature = "reencrypt")]
const TEXT_PREFIX: &str = "gAAAA";
/// The same in a raw token, to the byte.
#[cfg(feature = "reencrypt")]
const RAW_PREFIX: &[u8] = &[VERSION, 0, 0];
/// The latest moment for which the `fernet` crate's check of the clock (`now + 60 < time stamp`) does not overflow.
/// At rest the clock must never make a value unreadable, so every token is opened at the end of time.
const END_OF_TIME: u64 = u64::MAX - 60;

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
/// Size a column as `VARCHAR(token_len(n) + 1)`, one more than the longest token: no token has that length, so a
/// value that a server in a non-strict mode cut off at the column's end is refused by the guard of the shipped
/// migrations, and not stored.
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

/// `0x80 ‖ time stamp (8 B, big endian) ‖ IV (16 B) ‖ AES-128-CBC ciphertext ‖ HMAC-SHA256 (32 B)`
///
/// A value of this type has the shape of a token; whether a key opens it, only a keyring can say.
/// It is kept as padded base64url text, the form in which Fernet implementations exchange tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'a>(Cow<'a, str>);

impl<'a> Token<'a> {
    /// Reads a token in either form: base64url text, or the raw bytes that a binary column holds.
    ///
    /// `None` if the shape is wrong; the spelling must be the canonical one, so that a token has a single text form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first() == Some(&VERSION) {
            let shape = bytes.len() >= raw_token_len(0) && (bytes.len() - OVERHEAD) % BLOCK == 0;
            return shape.then(|| Self(Cow::Owned(URL_SAFE.encode(bytes))));
        }
        if bytes.first() != Some(&TEXT_VERSION) {
            return None;
        }
        // The `fernet` crate decodes the alphabet strictly but takes any number of `=`: count them here.
        let text = std::str::from_utf8(bytes).ok()?;
        let padding = text.len() - text.trim_end_matches('=').len();
        let raw = (text.len() / 4 * 3).checked_sub(padding)?;
        let shape = text.len() % 4 == 0 && padding <= 2 && raw >= raw_token_len(0) && (raw - OVERHEAD) % BLOCK == 0;
        shape.then_some(Self(Cow::Borrowed(text)))
    }

    /// Whether `bytes` set out to be a token: damaged tokens look like one, plaintext does not.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
        bytes.starts_with(TEXT_PREFIX.as_bytes()) || bytes.starts_with(RAW_PREFIX)
    }

    /// A message without the tokens in it, whole or cut off. What is longer than a name can be is taken for one too, for
    /// raw tokens are written in several ways.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn hide_in(message: &str) -> String {
        let in_word = |character: char| character.is_ascii_alphanumeric() || "-_=".contains(character);
        let hide = |word: &str| word.contains(TEXT_PREFIX) || word.len() >= raw_token_len(0);
        let mut shown = String::with_capacity(message.len());
        let mut rest = message;
        while !rest.is_empty() {
            let (word, tail) = rest.split_at(rest.find(|character| !in_word(character)).unwrap_or(rest.len()));
            let (between, next) = tail.split_at(tail.find(in_word).unwrap_or(tail.len()));
            shown.push_str(if hide(word) { "(a token)" } else { word });
            shown.push_str(between);
            rest = next;
        }
        shown
    }

    /// The token as text.
    pub(crate) fn into_text(self) -> String {
        self.0.into_owned()
    }

    /// The token as raw bytes.
    pub(crate) fn to_raw(&self) -> Vec<u8> {
        // Invariant: the text is either our own encoding or was opened by a cipher, which decodes it first.
        #[expect(clippy::expect_used)]
        URL_SAFE.decode(self.0.as_bytes()).expect("a token is base64url")
    }

    /// Seconds since 1970 at which the token says it was made. Visible and, before the token is opened, unverified.
    #[cfg(feature = "reencrypt")]
    pub(crate) fn timestamp(&self) -> u64 {
        let mut head = [0; 9];
        // 12 characters are 9 bytes: the version and the time stamp.
        match URL_SAFE.decode_slice(&self.0.as_bytes()[..12], &mut head) {
            Ok(_) => head[1..].iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte)),
            Err(_) => 0,
        }
    }
}

/// A [`Key`] ready for use.
pub(crate) struct Cipher(Fernet);

impl Cipher {
    pub(crate) fn new(key: &Key) -> Self {
        // Invariant: a `Key` is 32 bytes in base64url, which is all that `Fernet::new` asks for.
        #[expect(clippy::expect_used)]
        Self(Fernet::new(&key.to_text()).expect("a Key is a Fernet key"))
    }

    /// `plaintext` as a token dated now, under a fresh random IV.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Token<'static> {
        // A clock before 1970 dates the token 0: the date is informative, the value must be kept.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.seal_at(plaintext, now)
    }

    /// `plaintext` as a token dated `timestamp`, in seconds since 1970, under a fresh random IV.
    pub(crate) fn seal_at(&self, plaintext: &[u8], timestamp: u64) -> Token<'static> {
        Token(Cow::Owned(self.0.encrypt_at_time(plaintext, timestamp)))
    }

    /// The plaintext, if this key signed the token.
    pub(crate) fn open(&self, token: &Token<'_>) -> Option<Vec<u8>> {
        self.0.decrypt_at_time(&token.0, None, END_OF_TIME).ok()
    }
}

#[cfg(all(test, feature = "reencrypt"))]
mod tests {
    use super::*;

    #[test]
    fn hides_tokens_in_messages() {
        let token = Cipher::new(&Key::generate()).seal(b"secret");
        let hex: String = token.to_raw().iter().map(|byte| format!("{byte:02X}")).collect();
        let text = token.into_text();
        let cases = [
            (
                format!("Duplicate entry '{}' for key 'email'", &text[..64]),
                "Duplicate entry '(a token)' for key 'email'",
            ),
            (format!("{text} by {text}"), "(a token) by (a token)"),
            (format!("photo=\\x{hex}."), "photo=\\(a token)."),
            (format!("secret={text}"), "(a token)"),
            ("größer als \"erlaubt\"\n".into(), "größer als \"erlaubt\"\n"),
            ("n".repeat(64), &"n".repeat(64)),
            (String::new(), ""),
        ];
        for (message, shown) in cases {
            assert_eq!(Token::hide_in(&message), shown);
        }
    }
}
