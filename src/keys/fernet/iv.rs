//! Initialisation vectors.

#[cfg(feature = "reencrypt")]
use std::mem;

/// Sixteen unpredictable bytes for one token. They cannot be copied, and sealing consumes them.
pub(crate) struct Iv([u8; Iv::LEN]);

impl Iv {
    /// The length of an initialisation vector in bytes: one AES block.
    pub(crate) const LEN: usize = 16;

    /// Draws an initialisation vector from the operating system. The process keeps no state that a fork could repeat.
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

/// The initialisation vectors of one thread of the task, fetched 256 at a time.
///
/// A system call for each would cost more than the encryption. A forked child has a copy of the buffer, but not the
/// thread that uses it.
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

    /// Removes the next initialisation vector from the buffer.
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
    // There is no fallback, because a predictable initialisation vector lets an attacker guess values.
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
