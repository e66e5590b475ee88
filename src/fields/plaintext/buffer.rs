//! A buffer for plaintext that leaves no copy behind when it grows.

use std::{fmt, io};

use zeroize::{Zeroize, Zeroizing};

/// More than most values need.
const FIRST: usize = 64;

/// The bytes that are written to it. A `Vec` that grows would move them and leave a copy in freed memory.
pub(crate) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    /// The bytes that `write` writes.
    pub(crate) fn filled<E>(write: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<Vec<u8>, E> {
        let mut buffer = Self(Zeroizing::new(Vec::with_capacity(FIRST)));
        write(&mut buffer)?;
        Ok(std::mem::take(&mut *buffer.0))
    }

    fn push(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() {
            let mut larger = Vec::with_capacity(length.next_power_of_two());
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text that `value` prints, as bytes.
pub fn text_of(value: &impl fmt::Display) -> Vec<u8> {
    printed(format_args!("{value}"))
}

/// The text that `value` prints, as bytes.
pub(crate) fn printed(value: fmt::Arguments<'_>) -> Vec<u8> {
    // Invariant: writing to a buffer does not fail, and neither does the `Display` of the types that use this.
    Buffer::filled(|buffer| fmt::Write::write_fmt(buffer, value)).unwrap_or_default()
}
