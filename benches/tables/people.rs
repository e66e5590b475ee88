//! The rows of the benches and their keys.

use std::sync::Arc;

use diesel_encrypted::{Encrypted, Key, Keyring};

pub(crate) mod encrypted {
    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> EncryptedText,
            ssn -> EncryptedText,
        }
    }
}

/// The same table with the column types of the database.
pub(crate) mod plain {
    diesel::table! {
        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> Text,
            ssn -> Text,
        }
    }
}

pub(crate) type Row = (i64, String, Encrypted<String>, Encrypted<String>);
pub(crate) type PlainRow = (i64, String, String, String);

/// Lengths of values in bytes, typical of addresses and numbers. Their tokens have 120 to 164 characters.
pub(crate) const USUAL: &[usize] = &[24, 29, 33, 38, 42, 47, 51, 56, 60, 64];
/// Lengths of short values. Their tokens have 100 characters, the minimum.
pub(crate) const SHORT: &[usize] = &[9, 10, 11, 12, 13, 14, 15];

/// Two keys. Each rotation switches the table from one to the other.
pub(crate) struct Keys {
    keys: [Key; 2],
    keyrings: [Arc<Keyring>; 2],
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let keys = [Key::generate(), Key::generate()];
        let keyring = |first: usize| Arc::new(Keyring::new([keys[first].clone(), keys[1 - first].clone()]).unwrap());
        let keyrings = [keyring(0), keyring(1)];
        Self { keys, keyrings }
    }

    /// Both keys, with the key at this index as the primary key.
    pub(crate) fn keyring(&self, primary: usize) -> Arc<Keyring> {
        Arc::clone(&self.keyrings[primary])
    }

    /// The same keyring as text for `DB_ENCRYPTION_KEYS`.
    pub(crate) fn setting(&self, primary: usize) -> String {
        format!("{}:{}", *self.keys[primary].to_text(), *self.keys[1 - primary].to_text())
    }
}
