//! Initialisation vectors.

#[cfg(feature = "reencrypt")]
use std::mem;

/// Sixteen bytes that nobody could foretell, for one token: it cannot be copied, and sealing uses it up.
pub(crate) struct Iv([u8; Iv::LEN]);

impl Iv {
    /// Bytes of an initialisation vector: one AES block.
    pub(crate) const LEN: usize = 16;

    /// One from the operating system. Nothing is kept in the process that a fork could repeat.
    pub(crate) fn random() -> Self {
        let mut iv = [0; Self::LEN];
        fill(&mut iv);
        Self(iv)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn chosen(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

/// The initialisation vectors of one thread of the task, fetched 256 at a time: a system call for each costs more than
/// the encryption. The child of a fork has a copy of them, but not the thread that would use it.
#[cfg(feature = "reencrypt")]
pub(crate) struct Ivs {
    fetched: Box<[[u8; Iv::LEN]; 256]>,
    used: usize,
}

#[cfg(feature = "reencrypt")]
impl Ivs {
    pub(crate) fn new() -> Self {
        let fetched = Box::new([[0; Iv::LEN]; 256]);
        Self { used: fetched.len(), fetched }
    }

    /// The next one. It is gone from the buffer.
    pub(crate) fn next(&mut self) -> Iv {
        if self.used == self.fetched.len() {
            fill(self.fetched.as_flattened_mut());
            self.used = 0;
        }
        let iv = mem::take(&mut self.fetched[self.used]);
        self.used += 1;
        Iv(iv)
    }
}

fn fill(bytes: &mut [u8]) {
    // There is nothing to fall back on: with an initialisation vector that can be foretold, values can be guessed.
    #[expect(clippy::expect_used)]
    getrandom::getrandom(bytes).expect("the operating system gives random numbers");
}

#[cfg(all(test, feature = "reencrypt"))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn hands_out_each_once() {
        let mut ivs = Ivs::new();
        let mut seen = HashSet::from([[0; Iv::LEN]]);
        for count in 1..=3 * 256 + 1 {
            assert!(seen.insert(*ivs.next().as_bytes()), "number {count} came twice, or was never filled");
            assert!(ivs.fetched.iter().all(|left| *left == [0; Iv::LEN] || !seen.contains(left)));
        }
        assert_eq!(ivs.fetched.iter().filter(|left| **left != [0; Iv::LEN]).count(), 255);
    }
}
