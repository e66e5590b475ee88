//! Collects what the threads of a run find to be wrong.

use std::sync::{Mutex, PoisonError};
use std::thread;

#[derive(Default)]
pub struct Failures(Mutex<Vec<String>>);

impl Failures {
    pub fn add(&self, failure: String) {
        eprintln!("  {failure}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Returns the first failure, if there is one.
    pub fn check(&self) -> Result<(), String> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.first().map_or(Ok(()), |first| Err(first.clone()))
    }
}

/// Adds a failure if its thread panics. Otherwise the other threads would never end.
pub struct FailOnPanic<'a>(pub &'a Failures);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.add("a thread of the application panicked, see above".into());
        }
    }
}
