//! What the tests of all backends share.

use std::sync::Arc;

use diesel_encrypted::{Key, Keyring};

/// A key for tests; the same number is the same key.
pub fn key(number: u8) -> Key {
    use base64::Engine;
    let bytes: [u8; 32] = std::array::from_fn(|index| number.wrapping_mul(31).wrapping_add(index as u8) | 1);
    Key::parse(&base64::engine::general_purpose::URL_SAFE.encode(bytes)).unwrap()
}

/// A keyring of the keys with these numbers, the primary first.
pub fn keyring(numbers: impl IntoIterator<Item = u8>) -> Arc<Keyring> {
    Arc::new(Keyring::new(numbers.into_iter().map(key)).unwrap())
}

/// A name that no other test uses, in this or another process.
#[cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
pub fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("de_test_{}_{next}", std::process::id())
}
