//! Tests of tokens: the vectors of the specification, exchange with Python's `cryptography`, and inputs that must never
//! open.

#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::unwrap_used)]

mod by_hand;
mod elsewhere;
mod interchange;
mod refusals;
mod round_trip;
mod spec;
#[path = "../support/mod.rs"]
mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel_encrypted::Keyring;

/// A keyring of one key.
fn keyring(key: &str) -> Keyring {
    Keyring::parse(key).unwrap()
}

/// The raw form of a token.
fn raw(token: impl AsRef<[u8]>) -> Vec<u8> {
    URL_SAFE.decode(token).unwrap()
}

/// The text form of raw bytes, which need not be a token.
fn text(raw: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(raw)
}
