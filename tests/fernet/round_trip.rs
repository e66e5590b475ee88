//! An encrypted value decrypts to the same bytes under the key that encrypted it.

use diesel_encrypted::{Key, Keyring, raw_token_len, token_len};
use proptest::prelude::*;

use super::{by_hand, keyring, raw, text};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

fn key() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("the all-zero key is refused", |key| *key != [0; 32])
}

proptest! {
    #[test]
    fn sealed_bytes_open_again(key in key(), plaintext in bytes()) {
        let keyring = keyring(&text(key));
        let token = keyring.encrypt(&plaintext);
        prop_assert_eq!(keyring.decrypt(token.as_bytes()).unwrap(), plaintext.as_slice());
        prop_assert_eq!(keyring.decrypt(&raw(&token)).unwrap(), plaintext);
        prop_assert_ne!(keyring.encrypt(b""), keyring.encrypt(b""));
    }

    #[test]
    fn any_key_of_a_keyring_opens(keys in prop::collection::hash_set(key(), 2..6), plaintext in bytes()) {
        let keys: Vec<Key> = keys.iter().map(|key| Key::parse(&text(key)).unwrap()).collect();
        let all = Keyring::new(keys.clone()).unwrap();
        for key in &keys {
            let token = Keyring::new([key.clone()]).unwrap().encrypt(&plaintext);
            prop_assert_eq!(all.decrypt(token.as_bytes()).unwrap(), plaintext.as_slice());
        }
        let token = all.encrypt(&plaintext);
        for (position, key) in keys.into_iter().enumerate() {
            prop_assert_eq!(Keyring::new([key]).unwrap().decrypt(token.as_bytes()).is_ok(), position == 0);
        }
    }

    /// This includes tokens that the specification calls too new. No clock makes a stored value unreadable.
    #[test]
    fn a_token_of_any_date_opens(key in key(), date: u64, iv: [u8; 16], plaintext in bytes()) {
        opens_in_both_forms(&key, date, iv, &plaintext)?;
    }
}

fn opens_in_both_forms(key: &[u8; 32], date: u64, iv: [u8; 16], plaintext: &[u8]) -> Result<(), TestCaseError> {
    let token = by_hand::token(key, date, iv, plaintext);
    for form in [text(&token).into_bytes(), token] {
        let opened = keyring(&text(key)).decrypt(&form).ok();
        prop_assert_eq!(opened.as_deref(), Some(plaintext), "{}, dated {}", form.escape_ascii(), date);
    }
    Ok(())
}

#[test]
fn the_first_and_the_last_date_open() {
    for date in [0, 1, u64::from(u32::MAX), 253_402_300_799, 1 << 42, 1 << 48, i64::MAX as u64, u64::MAX - 60, u64::MAX]
    {
        opens_in_both_forms(&[1; 32], date, [0; 16], b"at rest").unwrap();
    }
}

#[test]
fn a_token_has_the_computed_length() {
    let keyring = keyring(&text([1; 32]));
    for length in (0..=300).chain([1023, 1024, 4095, 65_535, 65_536, 1_000_000]) {
        let token = keyring.encrypt(&vec![b'x'; length]);
        assert_eq!((token.len(), raw(&token).len()), (token_len(length), raw_token_len(length)), "{length}");
    }
}
