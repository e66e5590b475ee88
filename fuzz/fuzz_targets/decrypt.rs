//! A token that no key signed never opens. Decrypting arbitrary bytes that the right key signed never panics.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel_encrypted::Keyring;
use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const KEY: [u8; 32] = *b"sixteen to sign sixteen to seal ";

fuzz_target!(|bytes: &[u8]| {
    let keyring = Keyring::parse(&URL_SAFE.encode(KEY)).unwrap();
    assert!(keyring.decrypt(bytes).is_err());

    let mac = Hmac::<Sha256>::new_from_slice(&KEY[..16]).unwrap().chain_update(bytes).finalize();
    let signed = [bytes, &mac.into_bytes()].concat();
    let raw = keyring.decrypt(&signed).ok();
    let text = keyring.decrypt(URL_SAFE.encode(&signed).as_bytes()).ok();
    assert_eq!(raw, text);
    if let Some(plaintext) = raw {
        assert_eq!(diesel_encrypted::raw_token_len(plaintext.len()), signed.len());
    }
});
