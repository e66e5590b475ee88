//! The size of batches: as many rows as are fast to write and fit in memory.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The rows of the first batch, and of the smallest one unless rows are huge or locked.
const FIRST: usize = 16;
/// After a batch of at most this many bytes, the next one may be larger.
const BYTES: usize = 1 << 20;
/// The longest time that a write should take, because the application may have to wait that long for a row.
const TARGET: Duration = Duration::from_millis(50);
/// The weight of the past in the average speed.
const MEMORY: f64 = 0.75;
/// After a conflict, batches do not grow for this many writes.
const CAUTION: u32 = 10;

/// The size of batches. It follows the bytes that were read and the time of the writes. It changes in powers of two,
/// because each size needs a statement of its own.
pub(crate) struct BatchSize(Mutex<State>);

struct State {
    most: usize,
    by_bytes: usize,
    by_time: usize,
    /// Decaying sums of rows and seconds.
    rows: f64,
    seconds: f64,
    caution: u32,
}

impl BatchSize {
    /// Batches never have more than `most` rows.
    pub(crate) fn new(most: usize) -> Self {
        let state = State { most, by_bytes: FIRST.min(most), by_time: most, rows: 0.0, seconds: 0.0, caution: 0 };
        Self(Mutex::new(state))
    }

    /// The rows of the next batch.
    pub(crate) fn rows(&self) -> usize {
        self.with(|state| state.by_bytes.min(state.by_time))
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.with(|state| {
            state.by_bytes =
                if bytes <= BYTES { (2 * state.by_bytes).min(state.most) } else { (state.by_bytes / 2).max(1) };
        });
    }

    pub(crate) fn wrote(&self, rows: usize, time: Duration) {
        self.with(|state| {
            state.rows = MEMORY * state.rows + rows as f64;
            state.seconds = MEMORY * state.seconds + time.as_secs_f64();
            let permitted = state.rows / state.seconds.max(1e-9) * TARGET.as_secs_f64();
            if permitted < state.by_time as f64 {
                state.by_time = (state.by_time / 2).max(FIRST.min(state.most));
            } else if state.caution > 0 {
                state.caution -= 1;
            } else if permitted >= 2.0 * state.by_time as f64 {
                state.by_time = (2 * state.by_time).min(state.most);
            }
        });
    }

    /// Notes that a write failed because of a timeout, a deadlock, or some of its rows.
    pub(crate) fn conflict(&self) {
        self.with(|state| {
            state.by_time = (state.by_time.min(state.by_bytes) / 2).max(1);
            state.caution = CAUTION;
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(5);

    #[test]
    fn grows_from_a_small_batch_and_shrinks_with_large_rows() {
        let size = BatchSize::new(1000);
        assert_eq!(size.rows(), FIRST);
        for _ in 0..10 {
            size.read(1000);
        }
        assert_eq!(size.rows(), 1000);
        size.read(BYTES + 1);
        assert_eq!(size.rows(), 500);
        for _ in 0..20 {
            size.read(BYTES + 1);
        }
        assert_eq!(size.rows(), 1);
        assert_eq!(BatchSize::new(3).rows(), 3);
    }

    #[test]
    fn follows_the_time_of_writes() {
        let size = BatchSize::new(1024);
        (0..10).for_each(|_| size.read(1000));
        size.wrote(1024, Duration::from_secs(1));
        assert_eq!(size.rows(), 512);
        for _ in 0..20 {
            size.wrote(size.rows(), Duration::from_secs(1));
        }
        assert_eq!(size.rows(), FIRST);
        for _ in 0..100 {
            size.wrote(size.rows(), Duration::from_micros(10));
        }
        assert_eq!(size.rows(), 1024);
    }

    #[test]
    fn is_careful_after_a_conflict() {
        let size = BatchSize::new(1024);
        (0..10).for_each(|_| size.read(1000));
        size.conflict();
        for _ in 0..CAUTION {
            assert_eq!(size.rows(), 512);
            size.wrote(512, FAST);
        }
        size.wrote(512, FAST);
        assert_eq!(size.rows(), 1024);
    }
}
