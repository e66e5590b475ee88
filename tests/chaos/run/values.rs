//! The values of a row: as plaintext, and as an application stores them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::Queryable;
use diesel_encrypted::Keyring;
use fastrand::Rng;
use fernet::Fernet;

use crate::support::keys::{NEW, key, keyring};
use crate::support::secrets::PLAINTEXT;

/// The encrypted columns.
pub const COLUMNS: [&str; 3] = ["name", "phone", "photo"];
/// The column that holds bytes.
pub const PHOTO: usize = 2;
/// How a process of the application encrypts.
pub enum Sealer {
    /// With the primary key of the keyring.
    Keyring(Arc<Keyring>),
    /// With the new key, on a machine whose clock is wrong by this many seconds.
    Dated(i64),
}

impl Sealer {
    pub fn with_keys(numbers: [u8; 2]) -> Self {
        Self::Keyring(keyring(numbers))
    }

    pub fn seal(&self, plaintext: &[u8]) -> String {
        match self {
            Self::Keyring(keyring) => keyring.encrypt(plaintext),
            Self::Dated(ahead) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                Fernet::new(&key(NEW).to_text())
                    .unwrap()
                    .encrypt_at_time(plaintext, now.checked_add_signed(*ahead).unwrap())
            }
        }
    }
}

pub fn to_raw(token: &str) -> Vec<u8> {
    URL_SAFE.decode(token).unwrap()
}

/// The values in the ledger.
#[derive(Clone, Queryable)]
pub struct Plain {
    pub name: Vec<u8>,
    pub phone: Option<Vec<u8>>,
    pub photo: Option<Vec<u8>>,
}

/// The values in the table.
pub struct Sealed {
    pub name: String,
    pub phone: Option<String>,
    pub photo: Option<Vec<u8>>,
}

impl Plain {
    /// Returns new values of many lengths. `writer` is part of the text and shows their origin.
    pub fn random(writer: &str, rng: &mut Rng) -> Self {
        let mut text = |most: usize| -> Vec<u8> {
            let length = rng.usize(0..=most);
            let padding: String = std::iter::repeat_with(|| rng.alphanumeric()).take(length).collect();
            format!("{PLAINTEXT}{writer} {padding}").into_bytes()
        };
        let (name, phone) = (text(120), text(20));
        let length = if rng.u8(0..20) == 0 { rng.usize(1000..5000) } else { rng.usize(0..60) };
        let photo = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        Self {
            name: if rng.u8(0..30) == 0 { Vec::new() } else { name },
            phone: (rng.u8(0..5) > 0).then_some(phone),
            photo: (rng.u8(0..5) > 0).then_some(photo),
        }
    }

    pub fn seal(&self, sealer: &Sealer, rng: &mut Rng) -> Sealed {
        let photo = self.photo.as_ref().map(|photo| sealer.seal(photo));
        Sealed {
            name: sealer.seal(&self.name),
            phone: self.phone.as_ref().map(|phone| sealer.seal(phone)),
            // A binary column may hold either form.
            photo: photo.map(|token| if rng.u8(0..4) == 0 { token.into_bytes() } else { to_raw(&token) }),
        }
    }
}
