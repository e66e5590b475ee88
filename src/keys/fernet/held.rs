//! Finds a token inside another value: with blanks or quotes around it, without its padding, in JSON or in a sentence,
//! or encoded once more.
//!
//! Whoever encrypts such a value seals a token into a token, and nobody renews the key of the inner one. So the search
//! errs on the side of finding one.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::keys::fernet::token::{BLOCK, OVERHEAD, Token, VERSION, raw_token_len};

/// The first characters of a token as text, as in [`shape`](crate::keys::fernet::shape).
const PREFIX: &[u8] = b"gAAAA";
/// The fewest characters of a token as text, without its padding.
const SHORTEST: usize = (raw_token_len(0) * 8).div_ceil(6);
/// The fewest characters of such a token that is encoded in base64 once more.
const SHORTEST_TWICE: usize = (SHORTEST * 8).div_ceil(6);
/// The dates of tokens: from 1980 to 2100. Zeros, which are frequent in binary data, make earlier ones.
const DATES: std::ops::Range<u64> = 315_532_800..4_102_444_800;
/// The most lengths that are tried if characters follow that could belong to the token.
const LENGTHS: usize = 256;

/// Accepts what other programs write: unpadded, padded, and with stray bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// A token under the key at this position of the keyring.
    Ours(usize),
    /// Something with the shape of a token that no key opens.
    Foreign,
}

/// Looks for a token in a value. `open` returns the position of the key that opens a token.
pub(crate) fn held(value: &[u8], mut open: impl FnMut(&Token<'_>) -> Option<usize>) -> Option<Held> {
    let mut search = Search { open: &mut open, is_foreign: false };
    let position = search.raw(value).or_else(|| search.any(value, 0));
    position.map(Held::Ours).or(search.is_foreign.then_some(Held::Foreign))
}

/// Whether the value holds something with the shape of a token.
pub(crate) fn seems_to_hold(value: &[u8]) -> bool {
    held(value, |_| None).is_some()
}

/// Whether a token as text has this many characters without its padding.
pub(crate) fn is_unpadded_len(length: usize) -> bool {
    let bytes = length * 6 / 8;
    bytes >= raw_token_len(0) && (bytes - OVERHEAD) % BLOCK == 0 && (bytes * 8).div_ceil(6) == length
}

struct Search<'a> {
    open: &'a mut dyn FnMut(&Token<'_>) -> Option<usize>,
    is_foreign: bool,
}

impl Search<'_> {
    /// Looks for tokens as text in the value, and in what it encodes.
    fn any(&mut self, value: &[u8], depth: usize) -> Option<usize> {
        if let Some(position) = self.texts(value) {
            return Some(position);
        }
        if depth == 2 {
            return None;
        }
        if value.contains(&0) {
            // Every other byte of ASCII in UTF-16 is zero.
            let narrow: Vec<u8> = value.iter().copied().filter(|byte| *byte != 0).collect();
            if let Some(position) = self.any(&narrow, depth + 1) {
                return Some(position);
            }
        }
        let is_hexadecimal = |byte: &u8| byte.is_ascii_hexdigit();
        for run in value.split(|byte| !is_hexadecimal(byte)).filter(|run| run.len() >= 2 * raw_token_len(0)) {
            let bytes = hexadecimal(run);
            if let Some(position) = self.raw(&bytes).or_else(|| self.any(&bytes, depth + 1)) {
                return Some(position);
            }
        }
        let is_encoded = |byte: &u8| sextet(*byte).is_some();
        for run in value.split(|byte| !is_encoded(byte)).filter(|run| run.len() >= SHORTEST_TWICE) {
            if let Some(position) = self.encoded(run, depth) {
                return Some(position);
            }
        }
        // Programs break long lines.
        let is_broken = value.iter().any(u8::is_ascii_whitespace)
            && value.iter().all(|byte| is_encoded(byte) || byte.is_ascii_whitespace() || *byte == b'=');
        let joined: Vec<u8> =
            value.iter().copied().filter(is_encoded).take(if is_broken { usize::MAX } else { 0 }).collect();
        if joined.len() >= SHORTEST_TWICE { self.encoded(&joined, depth) } else { None }
    }

    /// Looks into a run of characters that may be base64.
    fn encoded(&mut self, run: &[u8], depth: usize) -> Option<usize> {
        let bytes = decoded(&run.iter().filter_map(|byte| sextet(*byte)).collect::<Vec<u8>>());
        // What is no token as text once more decodes to bytes of any kind.
        if bytes.is_ascii() || bytes.windows(PREFIX.len()).any(|window| window == PREFIX) {
            return self.any(&bytes, depth + 1);
        }
        None
    }

    /// Looks for tokens as text, at any place.
    fn texts(&mut self, value: &[u8]) -> Option<usize> {
        let mut start = 0;
        while let Some(found) = value[start..].windows(PREFIX.len()).position(|window| window == PREFIX) {
            let rest = &value[start + found..];
            let runs = [false, true].map(|is_broken| run(rest, is_broken));
            let count = if runs[0] == runs[1] { 1 } else { 2 };
            if let Some(position) = runs.iter().take(count).find_map(|run| self.text(run)) {
                return Some(position);
            }
            start += found + PREFIX.len();
        }
        None
    }

    /// Tries a run of characters that begins as a token does. Characters that follow the token may be part of it.
    fn text(&mut self, run: &[u8]) -> Option<usize> {
        if run.len() < SHORTEST {
            return None;
        }
        let bytes = decoded(run);
        let seems_to_be_one = has_date(&bytes);
        self.is_foreign |= seems_to_be_one;
        let lengths = (1..).map(|blocks| OVERHEAD + blocks * BLOCK).take_while(|length| *length < bytes.len());
        let tried = if seems_to_be_one { LENGTHS } else { 0 };
        let mut lengths = std::iter::once(bytes.len()).chain(lengths.take(tried));
        lengths.find_map(|length| self.open(&bytes[..length]))
    }

    /// Tries the bytes of a token without the blanks, quotes and marks around it.
    fn raw(&mut self, value: &[u8]) -> Option<usize> {
        let is_around = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`\0\xEF\xBB\xBF\\x".contains(byte);
        let start = value.iter().position(|byte| !is_around(byte))?;
        let rest = &value[start..];
        if rest[0] != VERSION {
            return None;
        }
        let around = rest.iter().rev().take_while(|byte| is_around(byte)).count();
        // A byte of the signature may look like a blank.
        (0..=around).find_map(|end| {
            let bytes = &rest[..rest.len() - end];
            let is_whole = Token::parse(bytes, &mut Vec::new()).is_some();
            self.is_foreign |= is_whole && has_date(bytes);
            self.open(bytes)
        })
    }

    fn open(&mut self, bytes: &[u8]) -> Option<usize> {
        (self.open)(&Token::parse(bytes, &mut Vec::new())?)
    }
}

/// Whether the bytes begin as a token of our time does.
fn has_date(bytes: &[u8]) -> bool {
    let date = bytes.get(1..9).and_then(|date| date.try_into().ok()).map(u64::from_be_bytes);
    bytes.first() == Some(&VERSION) && date.is_some_and(|date| DATES.contains(&date))
}

/// The characters of base64 at the beginning of a value, in the alphabet of tokens. If `is_broken`, line breaks, blanks,
/// and the escapes of JSON and of URLs may be among them.
fn run(value: &[u8], is_broken: bool) -> Vec<u8> {
    let mut run = Vec::new();
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if let Some(character) = sextet(byte) {
            run.push(character);
            continue;
        }
        if !is_broken {
            break;
        }
        let escape = after.get(..2).map(<[u8]>::to_ascii_uppercase);
        match (byte, escape.as_deref()) {
            (b'%', Some(b"2B" | b"2D")) => run.push(b'-'),
            (b'%', Some(b"2F" | b"5F")) => run.push(b'_'),
            (b'%', Some(b"0A" | b"0D" | b"20")) => {}
            // A line that ends in a soft break.
            (b'=', _) if after.first().is_some_and(u8::is_ascii_whitespace) => continue,
            (b'\\', _) if after.first().is_some_and(|next| b"nrt".contains(next)) => {
                rest = &after[1..];
                continue;
            }
            (b'\\' | 0, _) => continue,
            _ if byte.is_ascii_whitespace() => continue,
            _ => break,
        }
        rest = &after[2..];
    }
    run
}

/// The character in the alphabet of tokens, for a character of any alphabet of base64.
fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => Some(byte),
        b'+' => Some(b'-'),
        b'/' => Some(b'_'),
        _ => None,
    }
}

/// Decodes as many characters as make whole bytes.
fn decoded(run: &[u8]) -> Vec<u8> {
    let whole = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
    LENIENT.decode(whole).unwrap_or_default()
}

fn hexadecimal(digits: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default();
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE as PADDED};

    use super::*;
    use crate::keys::fernet::iv::Iv;
    use crate::keys::fernet::token::Cipher;
    use crate::keys::key::Key;

    fn found(key: &Key, value: &[u8]) -> Option<Held> {
        let cipher = Cipher::new(key);
        held(value, |token| cipher.open(token, &mut Vec::new()).map(|()| 3))
    }

    /// Ways in which programs and people have stored a token.
    fn ways(token: &str) -> Vec<Vec<u8>> {
        let wide = |big: bool| token.bytes().flat_map(move |byte| if big { [0, byte] } else { [byte, 0] }).collect();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let raw = PADDED.decode(token).unwrap();
        let folded = |text: &str| {
            let lines: Vec<String> =
                text.as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
            lines.join("\r\n")
        };
        let texts = [
            format!(" {token}"),
            format!("{token}\n"),
            format!("\t{token}\r\n"),
            format!("\u{a0}{token}"),
            format!("\u{feff}{token}"),
            format!("\"{token}\""),
            format!("'{token}'"),
            format!("b'{token}'"),
            format!("b\"{token}\""),
            format!("<{token}>"),
            format!("`{token}`,"),
            format!("{{\"password\": \"{token}\", \"port\": 5432}}"),
            format!("{{\"a\": [{{\"b\": \"{}\"}}]}}", token.replace('=', "\\u003d")),
            format!("the password is {token} and nothing else"),
            format!("postgres://user:{}@host/db", token.replace('=', "%3D").replace('-', "%2D")),
            format!("fernet:{token}"),
            format!("x{token}"),
            token.trim_end_matches('=').to_owned(),
            format!("{token}="),
            format!(" {} x", token.trim_end_matches('=')),
            token.replace('-', "+").replace('_', "/"),
            format!("\"{}\"", token.replace('-', "+").replace('_', "\\/")),
            folded(token),
            format!(" {}", folded(token)),
            format!("\"{}\"", folded(token).replace("\r\n", "\\n")),
            token.replace('=', "%3D"),
            STANDARD.encode(token),
            PADDED.encode(format!("\"{token}\"")),
            format!(" {}", STANDARD.encode(format!("{token}\n"))),
            folded(&STANDARD.encode(token)),
            STANDARD.encode(STANDARD.encode(token)),
            hex(token.as_bytes()),
            format!("\\x{}", hex(&raw)),
            hex(&raw).to_uppercase(),
        ];
        let bytes: [Vec<u8>; 4] = [wide(false), wide(true), [b"\n", &*raw].concat(), [&*raw, b" \n"].concat()];
        texts.into_iter().map(String::into_bytes).chain(bytes).collect()
    }

    #[test]
    fn finds_a_token_in_every_wrapping() {
        let key = Key::generate();
        for length in [0, 1, 15, 16, 17, 40, 500] {
            let token = Cipher::new(&key).seal_at(&vec![b'x'; length], 1_795_574_000, Iv::random()).into_text();
            for value in ways(&token) {
                let text = String::from_utf8_lossy(&value);
                assert_eq!(found(&key, &value), Some(Held::Ours(3)), "{text}");
                assert_eq!(found(&Key::generate(), &value), Some(Held::Foreign), "{text}");
            }
        }
    }

    /// The date of a clock that stands at 1970 does not hide a token of ours.
    #[test]
    fn a_token_of_any_date_is_ours() {
        let key = Key::generate();
        for date in [0, 1, u64::from(u32::MAX) + 1] {
            let token = Cipher::new(&key).seal_at(b"secret", date, Iv::random()).into_text();
            assert_eq!(found(&key, format!("\"{token}\"").as_bytes()), Some(Held::Ours(3)));
            assert_eq!(found(&Key::generate(), format!("\"{token}\"").as_bytes()), None);
        }
    }

    #[test]
    fn plaintext_holds_no_token() {
        let token = Cipher::new(&Key::generate()).seal(b"secret").into_text();
        // The header of a PNG, which has the prefix in base64, and binary data with many zeros.
        let png = format!(
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4{}",
            "A".repeat(200)
        );
        let zeros: Vec<u8> = (0..400_u16).map(|at| if at % 8 == 0 { 2 } else { 0 }).collect();
        for value in [
            "".into(),
            "gAAAA is how my name begins".into(),
            format!("not a token: {}", "gAAAA".repeat(3)),
            token.to_lowercase(),
            token.to_uppercase(),
            token.replacen("gAAAA", "hAAAA", 1),
            token[..90].to_owned(),
            "word ".repeat(100),
            "0123456789abcdef".repeat(20),
            png,
            STANDARD.encode(&zeros),
            PADDED.encode([&[0x80][..], &zeros].concat()),
        ] {
            assert_eq!(found(&Key::generate(), value.as_bytes()), None, "{value}");
        }
        assert_eq!(found(&Key::generate(), &zeros), None);
        fastrand::seed(7);
        for length in [100, 1000, 100_000] {
            let random: Vec<u8> = (0..length).map(|_| fastrand::u8(..)).collect();
            assert_eq!(found(&Key::generate(), &random), None);
            assert_eq!(found(&Key::generate(), STANDARD.encode(&random).as_bytes()), None);
        }
    }
}
