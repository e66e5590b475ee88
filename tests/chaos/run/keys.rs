//! The rows of a run.

use std::ops::Range;

use fastrand::Rng;

/// A row key. If the key is an integer, the second part is empty and not part of the key.
pub type Key = (i64, &'static str);

const PARTS: [&str; 4] = ["", "a", "b c", "z-9"];

/// Rows have numbers. One in `RESERVED_EVERY` rows belongs to no writer.
const RESERVED_EVERY: usize = 53;
/// The number of hot rows, which are written again and again. They are neighbours, so the task has them in one batch.
pub const HOT: usize = 16;

#[derive(Clone, Copy)]
pub struct Keys {
    pub count: usize,
    pub is_composite: bool,
}

impl Keys {
    pub fn key(&self, number: usize) -> Key {
        match self.is_composite {
            true => ((number / PARTS.len()) as i64, PARTS[number % PARTS.len()]),
            false => (number as i64, ""),
        }
    }

    /// The columns of the row key.
    pub fn columns(&self) -> &'static str {
        if self.is_composite { "id, part" } else { "id" }
    }

    /// Returns a row key as reports show it.
    pub fn label(&self, (id, part): (i64, &str)) -> String {
        if self.is_composite { format!("id={id}, part={part}") } else { format!("id={id}") }
    }

    pub fn is_reserved(number: usize) -> bool {
        number % RESERVED_EVERY == RESERVED_EVERY / 2
    }

    fn reserved(&self) -> Vec<Key> {
        (0..self.count).filter(|number| Self::is_reserved(*number)).map(|number| self.key(number)).collect()
    }

    /// The reserved rows that a transaction locks for a long time.
    pub fn held(&self) -> [Key; 2] {
        let reserved = self.reserved();
        [reserved[0], reserved[reserved.len() - 1]]
    }

    /// The reserved rows for bad values.
    pub fn for_bad(&self) -> Vec<Key> {
        let held = self.held();
        self.reserved().into_iter().filter(|key| !held.contains(key)).collect()
    }

    /// Picks a row for a writer: a hot one, or any.
    pub fn pick(&self, hot: Option<usize>, rng: &mut Rng) -> usize {
        let range = hot.map_or(0..self.count, |first| first..first + HOT);
        match rng.usize(range.clone()) {
            reserved if Self::is_reserved(reserved) => reserved - 1,
            number => number,
        }
    }

    /// Picks neighbouring rows, hot ones or any. Returns the range of the first parts of their keys.
    pub fn pick_page(&self, hot: Option<usize>, rng: &mut Rng) -> Range<i64> {
        let first = hot.unwrap_or_else(|| rng.usize(0..self.count));
        self.key(first).0..self.key(first + HOT).0 + 1
    }
}
