//! The `fernet` crate with OpenSSL: `cargo run --release -- --bench`

use divan::{Bencher, black_box};
use fernet::Fernet;

const LENGTHS: [usize; 4] = [16, 40, 256, 1024];

fn main() {
    divan::Divan::from_args().main();
}

#[divan::bench(args = LENGTHS)]
fn encrypt(bencher: Bencher, length: usize) {
    let fernet = Fernet::new(&Fernet::generate_key()).unwrap();
    let plaintext = vec![7; length];
    bencher.bench(|| fernet.encrypt(black_box(&plaintext)));
}

#[divan::bench(args = LENGTHS)]
fn decrypt(bencher: Bencher, length: usize) {
    let fernet = Fernet::new(&Fernet::generate_key()).unwrap();
    let token = fernet.encrypt(&vec![7; length]);
    bencher.bench(|| fernet.decrypt(black_box(&token)).unwrap());
}
