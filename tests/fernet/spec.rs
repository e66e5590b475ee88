//! The vectors of the Fernet specification, as published.

use serde::Deserialize;

use super::{by_hand, keyring, raw, text};

#[derive(Deserialize)]
struct Vector {
    token: String,
    now: String,
    secret: String,
    src: Option<String>,
    iv: Option<[u8; 16]>,
    desc: Option<String>,
}

fn vectors(json: &str) -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(json).unwrap();
    assert!(!vectors.is_empty());
    vectors
}

fn opened(vector: &Vector) -> Option<Vec<u8>> {
    keyring(&vector.secret).decrypt(vector.token.as_bytes()).ok()
}

/// The crate generates its initialisation vectors. So the test builds the token by hand, and compares it with the
/// vector.
#[test]
fn generate() {
    for vector in vectors(include_str!("../data/fernet-spec/generate.json")) {
        let (src, iv) = (vector.src.as_ref().unwrap(), vector.iv.unwrap());
        assert_eq!(vector.now, "1985-10-26T01:20:00-07:00");
        let now = 499_162_800;
        let key: [u8; 32] = raw(&vector.secret).try_into().unwrap();
        assert_eq!(text(by_hand::token(&key, now, iv, src.as_bytes())), vector.token);
        assert_eq!(opened(&vector).unwrap(), src.as_bytes());
        let ours = keyring(&vector.secret).encrypt(src.as_bytes());
        assert_eq!((ours.len(), &ours[..5]), (vector.token.len(), &vector.token[..5]));
    }
}

#[test]
fn verify() {
    for vector in vectors(include_str!("../data/fernet-spec/verify.json")) {
        assert_eq!(opened(&vector).unwrap(), vector.src.as_ref().unwrap().as_bytes());
    }
}

/// Two of the invalid vectors are valid tokens with a time that does not suit the clock of the vector: one is in the
/// future, the other is older than its time to live. A stored value has no time to live, and a wrong clock must not
/// make it unreadable. So these two open. (Their plaintext is empty.) All others are forged or damaged.
#[test]
fn invalid() {
    let dated = ["far-future TS (unacceptable clock skew)", "expired TTL"];
    let mut readable = Vec::new();
    for vector in vectors(include_str!("../data/fernet-spec/invalid.json")) {
        if let Some(plaintext) = opened(&vector) {
            assert_eq!(plaintext, b"");
            readable.push(vector.desc.unwrap());
        }
    }
    assert_eq!(readable, dated);
}
