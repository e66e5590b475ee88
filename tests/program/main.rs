//! Tests of the program that need no database: keys, and settings that it must refuse.

#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::unwrap_used)]

mod database_urls;
mod help;
mod keys;
mod limits;
mod settings;
#[path = "../support/mod.rs"]
mod support;

use diesel_encrypted::Key;

/// Keys for tests, as text.
const A: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const B: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";

fn fingerprint(key: &str) -> String {
    Key::parse(key).unwrap().fingerprint().to_string()
}
