//! Anything that is not, byte for byte, a token under this key does not open.

use diesel_encrypted::Keyring;
use proptest::prelude::*;

use super::{by_hand, keyring, raw, text};

const KEY: [u8; 32] = *b"sixteen to sign sixteen to seal ";

/// Tokens of several lengths in both forms: with two, one and no `=` at the end, of one block and of many.
fn tokens() -> Vec<Vec<u8>> {
    let raw = [0, 16, 32, 100].map(|length| raw(ours().encrypt(&vec![7; length])));
    raw.iter().map(|token| text(token).into_bytes()).chain(raw.clone()).collect()
}

fn ours() -> Keyring {
    keyring(&text(KEY))
}

#[track_caller]
fn refused(token: &[u8]) {
    if let Err(error) = ours().decrypt(token) {
        assert!(error.is_decrypt());
        return;
    }
    panic!("{} opens", token.escape_ascii());
}

#[test]
fn a_flipped_bit() {
    for token in tokens() {
        assert!(ours().decrypt(&token).is_ok());
        for bit in 0..8 * token.len() {
            let mut token = token.clone();
            token[bit / 8] ^= 1 << (bit % 8);
            refused(&token);
        }
    }
}

#[test]
fn a_part_of_a_token() {
    for token in tokens() {
        for length in 0..token.len() {
            refused(&token[..length]);
            refused(&token[token.len() - length..]);
        }
    }
}

#[test]
fn more_than_a_token() {
    for token in tokens() {
        for more in [&b"="[..], b"A", b"AAAA", b"\0", b"\n", &[0; 16], &token] {
            refused(&[&token, more].concat());
            refused(&[more, &token].concat());
        }
    }
}

#[test]
fn another_key() {
    let theirs = keyring(&text([9; 32]));
    for token in tokens() {
        assert!(theirs.decrypt(&token).unwrap_err().is_decrypt());
    }
}

/// A token has exactly one spelling. Therefore a compare-and-swap on its bytes is one on its value.
#[test]
fn another_spelling() {
    for length in [0, 16, 32] {
        // A token with both characters in which the alphabets differ.
        let token = std::iter::repeat_with(|| ours().encrypt(&vec![7; length]))
            .find(|token| token.contains('-') && token.contains('_'))
            .unwrap();
        let bare = token.trim_end_matches('=');
        // Appending sixteen groups of four `=` gives a length that a token can have.
        for padding in (0..200).map(|count| "=".repeat(count)) {
            if bare.len() + padding.len() != token.len() {
                refused(format!("{bare}{padding}").as_bytes());
            }
        }
        if bare != token {
            refused(token.replace('=', "%3D").as_bytes());
            refused(token.replace('=', "A").as_bytes());
        }
        for (from, to) in [("-", "+"), ("_", "/")] {
            refused(token.replace(from, to).as_bytes());
        }
        for space in [" ", "\n", "\r\n", "\t", "\0", "\u{feff}"] {
            refused(format!("{space}{token}").as_bytes());
            refused(format!("{token}{space}").as_bytes());
            refused(format!("{}{space}{}", &token[..60], &token[60..]).as_bytes());
        }
        refused(text(&token).as_bytes());
        refused(token.to_lowercase().as_bytes());
    }
}

/// Changes the unused bits of the last character. The base64 then decodes to the same bytes, but is spelt differently.
#[test]
fn spare_bits_at_the_end() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (length, padding) in [(0, "=="), (16, "=")] {
        let token = ours().encrypt(&vec![7; length]);
        let bare = token.strip_suffix(padding).unwrap();
        let (head, last) = bare.split_at(bare.len() - 1);
        for other in ALPHABET.iter().map(|byte| char::from(*byte)).filter(|other| !last.starts_with(*other)) {
            refused(format!("{head}{other}{padding}").as_bytes());
        }
    }
}

/// The signature is valid, but the content is not a token.
#[test]
fn signed_nonsense() {
    let token = by_hand::token(&KEY, 1_700_000_000, [3; 16], b"plaintext");
    let unsigned = &token[..token.len() - 32];
    assert!(ours().decrypt(&by_hand::sign(&KEY, unsigned.to_vec())).is_ok());
    let mut other_version = unsigned.to_vec();
    other_version[0] = 0x81;
    // The last block decrypts to bytes that do not end in valid padding.
    let mut no_padding = unsigned.to_vec();
    no_padding[9 + 15] ^= 0xff;
    let nonsense = [other_version, no_padding, unsigned[..25].to_vec(), unsigned[..40].to_vec(), vec![0x80]];
    for unsigned in nonsense {
        let token = by_hand::sign(&KEY, unsigned);
        refused(&token);
        refused(text(token).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        refused(&bytes);
    }

    #[test]
    fn random_bytes_that_begin_like_a_token(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for head in [&b"gAAAA"[..], b"gAAAAAB", &[0x80], &[0x80, 0, 0]] {
            refused(&[head, &bytes].concat());
        }
    }

    #[test]
    fn random_bytes_in_the_shape_of_a_token(
        bytes in (1..20_usize).prop_flat_map(|blocks| prop::collection::vec(any::<u8>(), 57 + 16 * blocks - 3)),
    ) {
        let token = [&[0x80, 0, 0], bytes.as_slice()].concat();
        refused(&token);
        refused(text(token).as_bytes());
    }

    #[test]
    fn random_text(text in "\\PC{0,200}") {
        refused(text.as_bytes());
    }
}
