//! A keyring is parsed exactly as it is written, or refused.

#![no_main]

use diesel_encrypted::Keyring;
use libfuzzer_sys::fuzz_target;

/// They replace `a` and `b` in the input, because a fuzzer does not find a valid key by chance.
const KEYS: [&str; 2] =
    ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE="];

fuzz_target!(|input: &str| {
    let mut text = String::new();
    for character in input.chars() {
        match character {
            'a' => text.push_str(KEYS[0]),
            'b' => text.push_str(KEYS[1]),
            _ => text.push(character),
        }
    }
    match Keyring::parse(&text) {
        Ok(keyring) => {
            let entries: Vec<&str> = text.trim().split([':', '\n']).map(str::trim).collect();
            assert_eq!(keyring.fingerprints().len(), entries.len());
            assert_eq!(Keyring::parse(&entries.join(":")).unwrap(), keyring);
        }
        Err(error) => assert!(KEYS.iter().all(|key| !error.to_string().contains(key))),
    }
});
