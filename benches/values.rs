//! One value: `cargo bench --bench values`
//!
//! Sealing and opening, by length of the plaintext and by the position of the key that opens it.

#![allow(clippy::unwrap_used)]

use diesel_encrypted::{Key, Keyring};
use divan::{Bencher, black_box};

const LENGTHS: [usize; 4] = [16, 64, 1024, 64 * 1024];
const KEYS: [usize; 3] = [1, 2, 10];

fn main() {
    divan::main();
}

#[divan::bench(args = LENGTHS)]
fn seal(bencher: Bencher, length: usize) {
    let keyring = Keyring::new([Key::generate()]).unwrap();
    let plaintext = vec![7; length];
    bencher.bench(|| keyring.encrypt(black_box(&plaintext)));
}

/// A token under the last key of so many: every key before it is tried.
#[divan::bench(args = LENGTHS, consts = KEYS)]
fn open<const COUNT: usize>(bencher: Bencher, length: usize) {
    let keys: Vec<Key> = (0..COUNT).map(|_| Key::generate()).collect();
    let token = Keyring::new(keys.last().cloned()).unwrap().encrypt(&vec![7; length]);
    let keyring = Keyring::new(keys).unwrap();
    bencher.bench(|| keyring.decrypt(black_box(token.as_bytes())).unwrap());
}

/// What the keyring adds to the `fernet` crate: its functions by themselves.
#[divan::bench_group]
mod fernet_crate {
    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn seal(bencher: Bencher, length: usize) {
        let fernet = fernet::Fernet::new(&Key::generate().to_text()).unwrap();
        let plaintext = vec![7; length];
        bencher.bench(|| fernet.encrypt(black_box(&plaintext)));
    }

    #[divan::bench(args = LENGTHS)]
    fn open(bencher: Bencher, length: usize) {
        let fernet = fernet::Fernet::new(&Key::generate().to_text()).unwrap();
        let token = fernet.encrypt(&vec![7; length]);
        bencher.bench(|| fernet.decrypt(black_box(&token)).unwrap());
    }
}
