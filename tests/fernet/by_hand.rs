//! Builds tokens step by step from the specification, without code of this crate. The crate itself lets nobody choose
//! the time and the initialisation vector.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Returns a raw token: `0x80 ‖ time ‖ IV ‖ AES-128-CBC(plaintext) ‖ HMAC-SHA256`. The first half of the key signs, the
/// second half encrypts.
pub fn token(key: &[u8; 32], date: u64, iv: [u8; 16], plaintext: &[u8]) -> Vec<u8> {
    let ciphertext = cbc::Encryptor::<aes::Aes128>::new_from_slices(&key[16..], &iv)
        .unwrap()
        .encrypt_padded_vec_mut::<Pkcs7>(plaintext);
    let mut token = vec![0x80];
    token.extend(date.to_be_bytes());
    token.extend(iv);
    token.extend(ciphertext);
    sign(key, token)
}

/// Appends the HMAC of everything before it.
pub fn sign(key: &[u8; 32], mut unsigned: Vec<u8>) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(&key[..16]).unwrap().chain_update(&unsigned).finalize();
    unsigned.extend(mac.into_bytes());
    unsigned
}
