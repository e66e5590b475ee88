//! How many rows a page has: as many as are fast to write, and do not fill the memory.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Rows of the first page, and of the smallest unless the rows are huge.
const FIRST: usize = 16;
/// Bytes of a page up to which the next one may be larger.
const BYTES: usize = 1 << 20;
/// How long a write should take at most: for so long the application may have to wait for a row.
const TARGET: Duration = Duration::from_millis(50);
/// Weight of the past in the average of the speed.
const MEMORY: f64 = 0.75;
/// Writes after a conflict during which pages do not grow.
const CAUTION: u32 = 10;

/// The size of pages, which follows what reading and writing them was like. Sizes go in powers of two, since each is
/// a statement of its own.
pub(crate) struct Pace(Mutex<State>);

struct State {
    most: usize,
    by_bytes: usize,
    by_time: usize,
    /// Decaying sums of rows and seconds.
    rows: f64,
    seconds: f64,
    caution: u32,
}

impl Pace {
    /// Never more than `most` rows.
    pub(crate) fn new(most: usize) -> Self {
        let state = State { most, by_bytes: FIRST.min(most), by_time: most, rows: 0.0, seconds: 0.0, caution: 0 };
        Self(Mutex::new(state))
    }

    /// Rows of the next page.
    pub(crate) fn rows(&self) -> usize {
        self.with(|state| state.by_bytes.min(state.by_time))
    }

    /// A page of this size was read.
    pub(crate) fn read(&self, bytes: usize) {
        self.with(|state| {
            state.by_bytes = match bytes {
                0..=BYTES => (2 * state.by_bytes).min(state.most),
                _ => (state.by_bytes / 2).max(1),
            };
        });
    }

    /// So many rows were written in this time.
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

    /// A write ran into a timeout or a deadlock.
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
    fn grows_from_a_small_page_and_shrinks_with_large_rows() {
        let pace = Pace::new(1000);
        assert_eq!(pace.rows(), FIRST);
        for _ in 0..10 {
            pace.read(1000);
        }
        assert_eq!(pace.rows(), 1000);
        pace.read(BYTES + 1);
        assert_eq!(pace.rows(), 500);
        for _ in 0..20 {
            pace.read(BYTES + 1);
        }
        assert_eq!(pace.rows(), 1);
        assert_eq!(Pace::new(3).rows(), 3);
    }

    #[test]
    fn follows_the_time_of_writes() {
        let pace = Pace::new(1024);
        (0..10).for_each(|_| pace.read(1000));
        pace.wrote(1024, Duration::from_secs(1));
        assert_eq!(pace.rows(), 512);
        for _ in 0..20 {
            pace.wrote(pace.rows(), Duration::from_secs(1));
        }
        assert_eq!(pace.rows(), FIRST);
        for _ in 0..100 {
            pace.wrote(pace.rows(), Duration::from_micros(10));
        }
        assert_eq!(pace.rows(), 1024);
    }

    #[test]
    fn is_careful_after_a_conflict() {
        let pace = Pace::new(1024);
        (0..10).for_each(|_| pace.read(1000));
        pace.conflict();
        for _ in 0..CAUTION {
            assert_eq!(pace.rows(), 512);
            pace.wrote(512, FAST);
        }
        pace.wrote(512, FAST);
        assert_eq!(pace.rows(), 1024);
    }
}
