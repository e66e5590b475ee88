//! Stopping a task, even while it sleeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Stops a running task from another thread. The workers finish their current batch.
///
/// Do not use it in a signal handler, because it takes a lock. The handlers of the crate `ctrlc` may use it, because
/// they run on a thread of their own.
///
/// ```
/// use diesel_encrypted::reencrypt::{StopHandle, Task};
/// # let keyring = diesel_encrypted::Keyring::new([diesel_encrypted::Key::generate()]).unwrap();
///
/// let stop = StopHandle::default();
/// let task = Task::new(keyring).stop_handle(stop.clone());
/// stop.stop();
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopHandle(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    is_stopped: AtomicBool,
    sleepers: Mutex<()>,
    wake: Condvar,
}

impl StopHandle {
    /// Asks the task to stop.
    pub fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// Makes every sleeper check again whether there is still a reason to sleep.
    pub(crate) fn wake(&self) {
        // A sleeper holds the lock from its check until it sleeps, so it cannot miss this.
        drop(self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.wake.notify_all();
    }

    /// Sleeps while `until` returns a time, and calls it again no later than that time. A stop ends the sleep.
    pub(crate) fn sleep_while(&self, until: impl Fn() -> Option<Instant>) {
        let mut guard = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(until) = until().filter(|_| !self.is_stopped()) {
            let left = until.saturating_duration_since(Instant::now());
            guard = self.0.wake.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
