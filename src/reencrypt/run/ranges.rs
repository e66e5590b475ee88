//! The ranges of a pass, and the claims under which workers hold them.

use serde::{Deserialize, Serialize};

use crate::database::KeyValue;
use crate::reencrypt::run::claim::{ClaimNumber, Range};

/// The ranges that are not done, in the order of the tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ranges(Vec<Chunk>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chunk {
    range: Range,
    holder: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) process: String,
    pub(crate) worker: usize,
    pub(crate) claim: ClaimNumber,
}

impl Ranges {
    pub(crate) fn new(ranges: Vec<Range>) -> Self {
        Self(ranges.into_iter().map(|range| Chunk { range, holder: None }).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All ranges, and the claims under which they are held.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Range, Option<&Holder>)> {
        self.0.iter().map(|chunk| (&chunk.range, chunk.holder.as_ref()))
    }

    pub(crate) fn get(&self, position: usize) -> &Range {
        &self.0[position].range
    }

    /// The first range that can be claimed: its position, and the claim of its holder if that `is_dead`.
    pub(crate) fn free(&self, is_dead: impl Fn(&Holder) -> bool) -> Option<(usize, Option<ClaimNumber>)> {
        self.0.iter().enumerate().find_map(|(position, chunk)| match &chunk.holder {
            None => Some((position, None)),
            Some(holder) => is_dead(holder).then_some((position, Some(holder.claim))),
        })
    }

    /// Hands out a range. If there is a `middle`, it hands out the part up to it, and leaves the rest for others.
    pub(crate) fn hand_out(&mut self, position: usize, holder: Holder, middle: Option<Vec<KeyValue>>) -> Range {
        let chunk = &mut self.0[position];
        chunk.holder = Some(holder);
        let mut range = chunk.range.clone();
        if let Some(middle) = middle {
            let rest = Range { after: Some(middle.clone()), ..range.clone() };
            range.until = Some(middle);
            chunk.range = range.clone();
            // The rest comes right after it, because ranges are handed out in the order of the tables.
            self.0.insert(position + 1, Chunk { range: rest, holder: None });
        }
        range
    }

    /// Ends a claim after the work up to the row key `at`. Unless the range `is_done`, its rest can be claimed. Returns
    /// the position of the table, or `None` if the claim was taken over.
    pub(crate) fn release(&mut self, claim: ClaimNumber, at: Option<Vec<KeyValue>>, is_done: bool) -> Option<usize> {
        let held = |chunk: &Chunk| chunk.holder.as_ref().is_some_and(|holder| holder.claim == claim);
        let position = self.0.iter().position(held)?;
        let chunk = &mut self.0[position];
        let table = chunk.range.table;
        chunk.holder = None;
        chunk.range.after = at.or(chunk.range.after.take());
        if is_done {
            self.0.remove(position);
        }
        Some(table)
    }
}
