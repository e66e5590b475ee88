//! Keys for tests.

use std::sync::Arc;

use diesel_encrypted::{Key, Keyring};

/// Numbers of keys.
pub const OLD: u8 = 1;
pub const NEW: u8 = 2;
pub const FOREIGN: u8 = 9;

/// A key for tests. Equal numbers give equal keys.
pub fn key(number: u8) -> Key {
    use base64::Engine;
    let bytes: [u8; 32] = std::array::from_fn(|index| number.wrapping_mul(31).wrapping_add(index as u8) | 1);
    Key::parse(&base64::engine::general_purpose::URL_SAFE.encode(bytes)).unwrap()
}

/// A keyring of the keys with these numbers. The first one is the primary key.
pub fn keyring(numbers: impl IntoIterator<Item = u8>) -> Arc<Keyring> {
    Arc::new(Keyring::new(numbers.into_iter().map(key)).unwrap())
}
