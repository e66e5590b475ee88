//! Measurements on one value: `cargo bench --bench values --features reencrypt`
//!
//! This measures how long the application takes to encrypt and decrypt a value. It varies the length of the plaintext
//! and the position of the key that opens the token. It also measures the steps of the task, and the `fernet` crate.

#![allow(clippy::unwrap_used)]
// The steps of the task are not public, so their folder is compiled in here. Not everything in it is used.
#![allow(dead_code, unused_imports)]

use diesel_encrypted::{Key, Keyring};
use divan::{Bencher, black_box};

#[path = "../src/keys/mod.rs"]
mod keys;

const LENGTHS: [usize; 4] = [16, 40, 256, 1024];
const KEYS: [usize; 3] = [1, 2, 10];

fn main() {
    divan::main();
}

#[divan::bench(args = LENGTHS)]
fn encrypt(bencher: Bencher, length: usize) {
    let keyring = Keyring::new([Key::generate()]).unwrap();
    let plaintext = vec![7; length];
    bencher.bench(|| keyring.encrypt(black_box(&plaintext)));
}

/// The token is under the last of `COUNT` keys, so every other key is tried first.
#[divan::bench(args = LENGTHS, consts = KEYS)]
fn decrypt<const COUNT: usize>(bencher: Bencher, length: usize) {
    let keys: Vec<Key> = (0..COUNT).map(|_| Key::generate()).collect();
    let token = Keyring::new(keys.last().cloned()).unwrap().encrypt(&vec![7; length]);
    let keyring = Keyring::new(keys).unwrap();
    bencher.bench(|| keyring.decrypt(black_box(token.as_bytes())).unwrap());
}

/// The `fernet` crate by itself.
#[divan::bench_group]
mod fernet_crate {
    use fernet::{Fernet, MultiFernet};

    use super::*;

    fn fernet() -> Fernet {
        Fernet::new(&Fernet::generate_key()).unwrap()
    }

    #[divan::bench(args = LENGTHS)]
    fn encrypt(bencher: Bencher, length: usize) {
        let fernet = fernet();
        let plaintext = vec![7; length];
        bencher.bench(|| fernet.encrypt(black_box(&plaintext)));
    }

    #[divan::bench(args = LENGTHS)]
    fn decrypt(bencher: Bencher, length: usize) {
        let fernet = fernet();
        let token = fernet.encrypt(&vec![7; length]);
        bencher.bench(|| fernet.decrypt(black_box(&token)).unwrap());
    }

    /// The same as the task does: decrypt with the second key, encrypt with the first, and read the token back.
    #[divan::bench(args = LENGTHS)]
    fn rotate(bencher: Bencher, length: usize) {
        let (new, old) = (fernet(), fernet());
        let token = old.encrypt(&vec![7; length]);
        let keyring = MultiFernet::new(vec![new.clone(), old]);
        bencher.bench(|| {
            let plaintext = keyring.decrypt(black_box(&token)).unwrap();
            let token = keyring.encrypt(&plaintext);
            assert_eq!(new.decrypt(&token).unwrap(), plaintext);
            token
        });
    }
}

/// The single steps of the task, for a token under the second key.
#[divan::bench_group]
mod task {
    use super::keys::rotation::Rotation;
    use super::*;

    fn with_rotation(length: usize, work: impl FnOnce(&mut Rotation<'_>, &str, &[u8])) {
        let keys = [(); 2].map(|()| keys::key::Key::generate());
        let plaintext = vec![7; length];
        let token = keys::keyring::Keyring::new([keys[1].clone()]).unwrap().encrypt(&plaintext);
        let keyring = keys::keyring::Keyring::new(keys).unwrap();
        work(&mut Rotation::new(&keyring), &token, &plaintext);
    }

    #[divan::bench(args = LENGTHS)]
    fn open(bencher: Bencher, length: usize) {
        with_rotation(length, |rotation, token, _| {
            bencher.bench_local(|| rotation.opener.open(black_box(token.as_bytes())).unwrap());
        });
    }

    /// This includes reading the token back. One in 256 values also generates the random numbers for all of them.
    #[divan::bench(args = LENGTHS, sample_size = 256)]
    fn seal(bencher: Bencher, length: usize) {
        with_rotation(length, |rotation, _, plaintext| {
            bencher.bench_local(|| rotation.sealer.seal(black_box(plaintext), 0).unwrap().into_text());
        });
    }

    #[divan::bench(args = LENGTHS, sample_size = 256)]
    fn rotate(bencher: Bencher, length: usize) {
        with_rotation(length, |Rotation { opener, sealer }, token, _| {
            bencher.bench_local(|| {
                let opened = opener.open(black_box(token.as_bytes())).unwrap();
                sealer.seal(opener.plaintext(), opened.timestamp).unwrap().into_text()
            });
        });
    }
}
