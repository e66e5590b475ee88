//! A list of keys as people hand it over: with a byte order mark, quotes or blanks, unpadded, or encoded once more.
//!
//! Everything that can mean only one keyring is read. Everything else is an error that names what was seen.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::keys::key::{InvalidKey, Key};
use crate::keys::keyring_error::{KeyringError, Source, SourceProblem};

/// The characters that separate two keys.
pub(crate) const SEPARATORS: [char; 2] = [':', '\n'];
/// The length of a key without its padding.
const UNPADDED: usize = 43;

/// Reads keys separated by `:` or by line breaks. Line breaks at the end separate nothing.
///
/// If the text as a whole is base64 of such a list, as the `data` of a Kubernetes secret is, it reads that list.
pub(crate) fn keys(source: Source, text: &str) -> Result<Vec<Key>, KeyringError> {
    let list = bare(text);
    entries(source, list).or_else(|error| match decoded(list) {
        Some(inner) => entries(source, bare(&inner)).map_err(|_| error),
        None => Err(error),
    })
}

/// Whether a text holds nothing: it is empty, blank, or a pair of quotes.
pub(crate) fn is_nothing(text: &str) -> bool {
    bare(text).is_empty()
}

/// The text without a byte order mark, blanks, and quotes around it. Python shows bytes as `b'…'`.
pub(crate) fn bare(text: &str) -> &str {
    let is_blank = |character: char| character.is_whitespace() || "\u{feff}\u{200b}\0".contains(character);
    let text = text.trim_matches(is_blank);
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let quoted = text.strip_prefix('b').filter(|quoted| quoted.starts_with(quote)).unwrap_or(text);
        quoted.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.contains(quote))
    });
    unquoted.map_or(text, |inner| inner.trim_matches(is_blank))
}

/// Reads the contents of a file as text: UTF-8, or UTF-16 if it begins with a byte order mark, as PowerShell writes it.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let wide: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return std::str::from_utf8(bytes).ok().map(|text| Zeroizing::new(text.to_owned())),
    };
    let units = bytes[2..].chunks(2).map(|pair| pair.try_into().map_or(0xd800, wide));
    // A unit becomes three bytes at most. A text that grows would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for character in char::decode_utf16(units) {
        text.push(character.ok()?);
    }
    Some(text)
}

fn entries(source: Source, list: &str) -> Result<Vec<Key>, KeyringError> {
    if list.is_empty() {
        return Err(KeyringError::new(source, SourceProblem::Empty));
    }
    let count = list.split(SEPARATORS).count();
    let mut keys = Vec::with_capacity(count);
    for (entry, position) in list.split(SEPARATORS).map(bare).zip(1..) {
        if entry.is_empty() {
            return Err(KeyringError::new(source, SourceProblem::Blank { position, count }));
        }
        match key(entry) {
            Ok(key) => keys.push(key),
            Err(error) => return Err(KeyringError::new(source, SourceProblem::Invalid { position, count, error })),
        }
    }
    Ok(keys)
}

/// Reads one key, without its padding too, or encoded in base64 once more.
pub(crate) fn key(entry: &str) -> Result<Key, InvalidKey> {
    if entry.len() == UNPADDED && !entry.ends_with('=') {
        let mut padded = Zeroizing::new(String::with_capacity(UNPADDED + 1));
        padded.push_str(entry);
        padded.push('=');
        return Key::parse(&padded);
    }
    Key::parse(entry).or_else(|error| match decoded(entry) {
        Some(inner) => Key::parse(bare(&inner)).map_err(|_| error),
        None => Err(error),
    })
}

/// The text that base64 holds, in lines of any length, with or without padding. A key itself holds no text.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; compact.len() / 4 * 3 + 3]);
    let length = GeneralPurpose::new(alphabet, config).decode_slice(&*compact, &mut bytes).ok()?;
    of_bytes(&bytes[..length])
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

    use super::*;

    const A: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const B: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";

    fn read(text: &str) -> Result<Vec<Key>, String> {
        keys(Source::Given, text).map_err(|error| error.to_string())
    }

    /// The text in lines of 76 characters, as `base64` prints it.
    fn wrapped(text: &str) -> String {
        let encoded = STANDARD.encode(text);
        let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join("\n") + "\n"
    }

    #[test]
    fn reads_what_can_mean_only_one_keyring() {
        let [a, b] = [A, B].map(|key| Key::parse(key).unwrap());
        let bare = A.trim_end_matches('=');
        for one in [
            format!("\u{feff}{A}\r\n"),
            format!("\"{A}\""),
            format!(" '{A}' \n"),
            format!("b'{A}'"),
            format!("b\"{A}\"\n"),
            format!("\u{feff}\"{bare}\""),
            bare.to_owned(),
            STANDARD.encode(A),
            STANDARD.encode(format!("{A}\n")),
            STANDARD_NO_PAD.encode(format!("{A}\n")),
            URL_SAFE.encode(format!("\"{A}\"\n")),
            STANDARD.encode(bare),
            format!("'{}'\r\n", STANDARD.encode(A)),
            STANDARD.encode(STANDARD.encode(A)),
        ] {
            assert_eq!(read(&one), Ok(vec![a.clone()]), "{one:?}");
        }
        for two in [
            format!("\"{A}:{B}\""),
            format!("'{A}':\"{B}\""),
            format!("b'{A}'\nb'{B}'\n"),
            format!("\u{feff}{A}\r\n{B}\r\n"),
            format!("{bare}:{B}"),
            format!("{}:{B}", STANDARD.encode(A)),
            wrapped(&format!("{A}:{B}\n")),
            wrapped(&format!("\u{feff}{A}\r\n{B}\r\n")),
        ] {
            assert_eq!(read(&two), Ok(vec![a.clone(), b.clone()]), "{two:?}");
        }
    }

    #[test]
    fn names_what_no_key_holds() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, seen) in [
            (format!("\"{A}"), "contains a quotation mark"),
            (format!("“{A}”"), "contains a quotation mark"),
            (format!("{A} {B}"), "contains a blank"),
            (format!("{A};{B}"), "contains a semicolon"),
            (format!("{A}\\n"), "contains a backslash"),
            (A.replace('=', "%3D"), "contains a percent sign"),
            (format!("[\"{A}\", \"{B}\"]"), "contains a comma"),
            (format!("[{A}]"), "contains a bracket"),
            ("${DB_KEY}".to_owned(), "contains `$` or a brace"),
            ("<paste the key here>".to_owned(), "contains an angle bracket"),
            (format!("# old\n{A}"), "contains `#`"),
            (format!("DB_ENCRYPTION_KEYS={A}"), "begins with a name and `=`"),
            (format!("é{}", &A[1..]), "contains a character that is not ASCII"),
            (hex, "is 64 hexadecimal digits"),
            (format!("{A}{B}"), "is 88 characters long"),
            (STANDARD.encode("not a key, but a text"), "is 28 characters long"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(seen), "{text:?}: {error}");
            for part in [A, B].map(|key| &key[2..14]) {
                assert!(!error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn reads_utf_16_with_its_mark() {
        let of = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain(A.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
        };
        assert_eq!(of_bytes(&of([0xff, 0xfe], u16::to_le_bytes)).unwrap().as_str(), A);
        assert_eq!(of_bytes(&of([0xfe, 0xff], u16::to_be_bytes)).unwrap().as_str(), A);
        assert_eq!(of_bytes(&[0xff, 0xfe, 0x41]), None);
        assert_eq!(of_bytes(&[0xff; 32]), None);
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(["", " \n", "\"\"", "''", "\u{feff}"].into_iter().all(is_nothing));
        assert!([":", "0", A].into_iter().all(|text| !is_nothing(text)));
    }
}
