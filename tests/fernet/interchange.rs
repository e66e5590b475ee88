//! Python's `cryptography` reads our tokens, and we read its tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel_encrypted::Key;
use serde::Deserialize;

use super::{keyring, raw};
use crate::support::python;

#[derive(Deserialize)]
struct PythonToken {
    key: String,
    date: u64,
    plaintext: String,
    token: String,
}

fn opens_all(json: &[u8]) -> usize {
    let tokens: Vec<PythonToken> = serde_json::from_slice(json).unwrap();
    for PythonToken { key, date, plaintext, token } in &tokens {
        let plaintext = STANDARD.decode(plaintext).unwrap();
        assert_eq!(raw(token)[1..9], date.to_be_bytes());
        for form in [token.as_bytes(), &raw(token)] {
            let opened = keyring(key).decrypt(form);
            assert_eq!(opened.unwrap(), plaintext, "{} bytes of {date}", plaintext.len());
        }
    }
    tokens.len()
}

#[test]
fn we_read_the_tokens_that_python_made_once() {
    assert_eq!(opens_all(include_bytes!("../data/python-tokens.json")), 71);
}

#[test]
fn we_read_the_tokens_that_python_makes_now() {
    assert_eq!(opens_all(&python::run("data/python_tokens.py", b"")), 71);
}

#[test]
fn python_reads_our_tokens() {
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let started = now();
    for key in [Key::generate(), Key::generate()] {
        let key = key.to_text();
        let lengths = (0..=64).chain([1000, 1024, 65_536]);
        let mut plaintexts: Vec<Vec<u8>> = lengths.map(|length| (0..length).map(|i| i as u8).collect()).collect();
        plaintexts.push("Žluťoučký kůň, 東京, naïve, 🔑".into());
        let tokens: Vec<String> = plaintexts.iter().map(|plaintext| keyring(&key).encrypt(plaintext)).collect();
        for (opened, plaintext) in python::open(&key, &tokens).into_iter().zip(plaintexts) {
            let (opened, date) = opened.expect("Python does not open our token");
            assert_eq!(opened, plaintext);
            assert!((started..=now()).contains(&date));
        }
        let other = Key::generate().to_text();
        assert!(python::open(&other, &tokens).iter().all(Option::is_none));
    }
}
