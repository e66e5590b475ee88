//! One Fernet key.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::keys::error::debug_is_display;

/// The length of a key as text: 32 bytes in padded base64url.
const TEXT_LEN: usize = 44;

/// A Fernet key: `16 bytes signing key ‖ 16 bytes encryption key`.
///
/// As text it is 44 characters of padded base64url, interchangeable with the keys of Python's `cryptography.fernet`.
///
/// A value of this type is always a usable key: parsing refuses everything else. It has no `Display`, and its
/// `Debug` shows only the [fingerprint](Key::fingerprint). Dropping it zeroes the bytes. Two keys are equal if all their
/// bytes are, and the time of the comparison does not depend on the bytes.
///
/// Source: [Fernet specification, "Key Format"](https://github.com/fernet/spec/blob/master/Spec.md).
///
/// ```
/// use diesel_encrypted::Key;
///
/// let key = Key::generate();
/// assert_eq!(Key::parse(&key.to_text()).unwrap(), key);
/// assert!(Key::parse("too short").is_err());
/// ```
// The bytes are in a box, because moving a key would leave a copy of them behind.
#[derive(Clone)]
pub struct Key(Box<Zeroizing<[u8; 32]>>);

impl Key {
    /// Reads 44 characters of padded base64url.
    ///
    /// It accepts only the canonical spelling of a key, so that a keyring cannot hold the same key in two spellings.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] describes the problem and never contains the text.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let length = text.chars().count();
        if length != TEXT_LEN {
            return Err(InvalidKey::seen_in(text).unwrap_or(InvalidKey::Length(length)));
        }
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        // `decode_slice` needs room for whole groups of three bytes.
        let mut decoded = Zeroizing::new([0; 33]);
        match URL_SAFE.decode_slice(text, decoded.as_mut_slice()) {
            Ok(32) => bytes.copy_from_slice(&decoded[..32]),
            _ if text.contains(['+', '/']) => return Err(InvalidKey::StandardAlphabet),
            _ => return Err(InvalidKey::seen_in(text).unwrap_or(InvalidKey::Alphabet)),
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(InvalidKey::AllZero);
        }
        Ok(Self(bytes))
    }

    /// Generates a key with the operating system's random number generator.
    ///
    /// # Panics
    ///
    /// If the operating system cannot supply random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        // There is no fallback: a key that is not random is not secret.
        #[expect(clippy::expect_used)]
        getrandom::getrandom(bytes.as_mut_slice()).expect("the operating system gives random numbers");
        Self(bytes)
    }

    /// The key as the text that [`Key::parse`] reads.
    ///
    /// **This is the secret itself.** The text is zeroed on drop.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE.encode(self.0.as_slice()))
    }

    /// The public name of the key: the first 8 bytes of
    /// `HMAC-SHA256(key, "diesel-encrypted key fingerprint v1")`, as 16 hexadecimal digits.
    ///
    /// You can print, log and compare it: it reveals nothing about the key.
    ///
    /// ```
    /// let key = diesel_encrypted::Key::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    /// assert_eq!(key.fingerprint().to_string(), "40c8a48e1be4d27e");
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut name = [0; 8];
        name.copy_from_slice(&self.derive(&[b"diesel-encrypted key fingerprint v1"])[..8]);
        Fingerprint(name)
    }

    /// `HMAC-SHA256(key, message)`, where the message is given in parts.
    pub(crate) fn derive(&self, message: &[&[u8]]) -> [u8; 32] {
        let mac = hmac_sha256(self.0.as_slice());
        message.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().into()
    }

    /// Whether both keys sign alike. Compares in constant time.
    pub(crate) fn signs_as(&self, other: &Self) -> bool {
        self.signing_half().ct_eq(other.signing_half()).into()
    }

    /// The first 16 bytes, which sign.
    pub(crate) fn signing_half(&self) -> &[u8] {
        &self.0[..16]
    }

    /// The last 16 bytes, which encrypt.
    pub(crate) fn encryption_half(&self) -> &[u8] {
        &self.0[16..]
    }
}

impl PartialEq for Key {
    /// Compares all bytes, in constant time. A fingerprint is a name, and two keys could have the same one.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

/// The public name of a [`Key`]: 16 hexadecimal digits, computed by [`Key::fingerprint`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 8]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hexadecimal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hexadecimal.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or(InvalidFingerprint)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a [`Fingerprint`].
///
/// The error does not contain the text, which may be a key.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a fingerprint: write 16 hexadecimal digits")]
pub struct InvalidFingerprint;

debug_is_display!(InvalidFingerprint, InvalidKey);

/// Why a text is not a [`Key`].
///
/// The message describes the problem and never contains the text.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The text is not 44 characters long.
    #[error("is {0} characters long, not 44 (a key is 32 bytes in padded base64url)")]
    Length(usize),
    /// The text is a list of keys separated by commas, as other programs write it.
    #[error("contains a comma: separate keys with `:`")]
    Comma,
    /// The text contains something that no key does.
    #[error("contains {0}")]
    Foreign(&'static str),
    /// The text begins with a name, as a line of an environment file does.
    #[error("begins with a name and `=`: write the key alone")]
    Named,
    /// The text is 32 bytes in hexadecimal.
    #[error("is 64 hexadecimal digits: write the same 32 bytes in padded base64url")]
    Hexadecimal,
    /// The text uses `+` and `/`, where base64url uses `-` and `_`.
    #[error("is written in the standard base64 alphabet: replace `+` with `-` and `/` with `_`")]
    StandardAlphabet,
    /// The text is not canonical base64url.
    #[error("is not base64url (A-Z a-z 0-9 - _, ending in `=`)")]
    Alphabet,
    /// The key is 32 zero bytes, which is not a secret.
    #[error("is the all-zero key, which protects nothing")]
    AllZero,
}

/// Characters that people hand over with a key, and what they mean.
const FOREIGN: [(&str, &str); 9] = [
    ("\"'`“”‘’", "a quotation mark: remove it"),
    ("[]", "a bracket: write the keys alone, separated by `:`"),
    ("<>", "an angle bracket: put the key in the place of the placeholder"),
    ("${}", "`$` or a brace: a variable was not replaced by its value"),
    ("#", "`#`: remove the comment"),
    (";", "a semicolon: separate keys with `:`"),
    ("\\", "a backslash: write a line break or `:` between keys, not an escape"),
    ("%", "a percent sign: write the key itself, not as a part of a URL (`%3D` is `=`)"),
    (" \t\r\n\u{a0}", "a blank: separate keys with `:`"),
];

impl InvalidKey {
    /// What a text contains that no key does. It names no character of a key.
    fn seen_in(text: &str) -> Option<Self> {
        if text.contains(',') {
            return Some(Self::Comma);
        }
        let foreign = FOREIGN.iter().find(|(characters, _)| text.contains(|character| characters.contains(character)));
        if let Some((_, what)) = foreign {
            return Some(Self::Foreign(what));
        }
        let is_name = |name: &str| name.contains('_') && name.bytes().all(|b| b == b'_' || b.is_ascii_uppercase());
        if text.split_once('=').is_some_and(|(name, rest)| is_name(name) && rest.len() > 2) {
            return Some(Self::Named);
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Self::Hexadecimal);
        }
        (!text.is_ascii()).then_some(Self::Foreign("a character that is not ASCII: copy the key once more"))
    }
}

fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    // Invariant: HMAC takes keys of any length.
    #[expect(clippy::expect_used)]
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Bytes in hexadecimal.
#[cfg(feature = "reencrypt")]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    #[test]
    fn parses_and_prints_the_same_text() {
        assert_eq!(*Key::parse(TEXT).unwrap().to_text(), TEXT);
    }

    #[test]
    fn refuses_what_is_not_a_key() {
        let cases = [
            ("", InvalidKey::Length(0)),
            (&TEXT[..43], InvalidKey::Length(43)),
            (&format!("{TEXT}="), InvalidKey::Length(45)),
            (&format!("{TEXT},{TEXT}"), InvalidKey::Comma),
            (&TEXT.replace('-', "+"), InvalidKey::StandardAlphabet),
            (&TEXT.replace('-', "!"), InvalidKey::Alphabet),
            (&TEXT.replace("e4=", "e4A"), InvalidKey::Alphabet), // 33 bytes
            // the same 32 bytes with unused bits set: a second spelling of one key
            (&TEXT.replace("e4=", "e5="), InvalidKey::Alphabet),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", InvalidKey::AllZero),
        ];
        for (text, error) in cases {
            assert_eq!(Key::parse(text).unwrap_err(), error);
        }
        assert!(matches!(Key::parse(&"é".repeat(44)), Err(InvalidKey::Foreign(_))));
    }

    #[test]
    fn debug_shows_the_fingerprint_only() {
        let key = Key::parse(TEXT).unwrap();
        let debug = format!("{key:?}");
        assert_eq!(debug, format!("Key({})", key.fingerprint()));
        for window in TEXT.as_bytes().windows(4) {
            assert!(!debug.contains(std::str::from_utf8(window).unwrap()));
        }
    }

    #[test]
    fn fingerprints_are_read_as_they_are_shown() {
        let fingerprint = Key::parse(TEXT).unwrap().fingerprint();
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        for text in ["", TEXT, "+000000000000000", "000000000000000g", "00000000000000000"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint));
        }
    }

    #[test]
    fn generated_keys_differ() {
        assert_ne!(Key::generate(), Key::generate());
    }

    #[test]
    fn equality_compares_every_bit() {
        let key = Key::generate();
        assert_eq!(key, key.clone());
        for bit in 0..256 {
            let mut other = key.clone();
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(key, other, "bit {bit}");
            assert_eq!(key.signs_as(&other), bit >= 128, "bit {bit}");
        }
    }
}
