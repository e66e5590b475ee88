//! Writes a row that does not fit in one statement.

use sha2::{Digest, Sha256};

use crate::database::swap::DigestChange;
use crate::database::{Change, ErrorClass, Swap, SwapRows, TaskConnection};
use crate::keys::key::hex;
use crate::reencrypt::report::TaskError;
use crate::reencrypt::walk::batch::{Batches, Refused, shown};
use crate::reencrypt::walk::weight::{weight_by_digest, weight_of};
use crate::targets::printable;

impl<C: TaskConnection> Batches<'_, '_, '_, C> {
    /// Swaps each value of the row on its own. Where that does not fit either, sends a digest in place of the old value.
    pub(super) fn swap_large(
        &mut self,
        change: &Change,
        longest: u64,
        refused: &mut Refused,
    ) -> Result<Option<usize>, TaskError> {
        let before = refused.keys.len();
        let mut is_whole = true;
        for (column, swap) in change.needed() {
            let mut swaps = vec![None; change.swaps.len()];
            swaps[column] = Some(swap.clone());
            let alone = Change { key: change.key.clone(), swaps };
            let swapped = if weight_of(&alone, self.table) <= longest {
                self.swap(std::slice::from_ref(&alone), refused)?
            } else {
                self.swap_by_digest(&alone, column, swap, longest, refused)?
            };
            let Some(swapped) = swapped else { return Ok(None) };
            is_whole &= swapped == 1;
        }
        // A row is refused once, however many of its values are.
        refused.keys.truncate(before + 1);
        Ok(Some(usize::from(is_whole)))
    }

    fn swap_by_digest(
        &mut self,
        change: &Change,
        column: usize,
        swap: &Swap,
        longest: u64,
        refused: &mut Refused,
    ) -> Result<Option<usize>, TaskError> {
        let table = self.table;
        let size =
            if C::Backend::SWAPS_BY_DIGEST { weight_by_digest(&change.key, swap) } else { weight_of(change, table) };
        if size > longest {
            tracing::warn!(
                table = %printable(&table.name),
                column = %printable(&table.columns[column].name),
                row = table.label(&change.key),
                "value left: writing it needs a statement of {size} bytes, and {} is {longest}. Raise it, and run the \
                 task again",
                C::Backend::STATEMENT_LIMIT,
            );
            refused.keys.push(change.key.clone());
            return Ok(Some(0));
        }
        let digest =
            DigestChange { key: &change.key, column, new: &swap.new, old: hex(&Sha256::digest(&swap.old.bytes)) };
        let checkpoint = self.checkpoint;
        let error = match self.session.once(|conn| C::Backend::swap_by_digest(conn, table, &digest, checkpoint))? {
            Ok(swapped) => return Ok(swapped),
            Err(error) => error,
        };
        let is_about_row = self.session.is_connected()
            && matches!(self.session.class(&error), ErrorClass::Lock | ErrorClass::Other | ErrorClass::Unknown);
        if is_about_row {
            self.refuse(change, error, refused);
            return Ok(Some(0));
        }
        let job = self.shared.settings.job;
        let swap = |conn: &mut C| C::Backend::swap_by_digest(conn, table, &digest, checkpoint);
        Ok(self.session.run_hiding(swap, |info, class| shown(info, class, job))?)
    }
}
