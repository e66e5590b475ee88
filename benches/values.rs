//! Measures the work on one value: `cargo bench --bench values --features reencrypt`
//!
//! The benchmarks encrypt and decrypt as the application does, by the length of the plaintext and the position of the
//! key. They also measure each step of the task, and the same work with the `fernet` crate.

#![allow(clippy::unwrap_used)]
// The task's steps are not public, so this file includes their folder. It does not use all of it.
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

/// The token is under the last of `COUNT` keys, so that every key is tried.
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

    /// The work of the task: decrypt with the secondary key, encrypt with the primary key, read back.
    #[divan::bench(args = LENGTHS)]
    fn rotate(bencher: Bencher, length: usize) {
        let new = fernet();
        let old = fernet();
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

/// Each benchmark is one step of the task, for a token under the secondary key.
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

    /// Includes reading the token back. One value in 256 waits for the random numbers of all 256.
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
