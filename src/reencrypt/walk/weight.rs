//! How many bytes a change needs in a statement, and what fits in one.

use crate::database::{Cell, Change, KeyValue, PlannedColumn, PlannedTable, Swap, SwapRows};
use crate::fields::Array;
use crate::keys::fernet::token::{raw_token_len, token_len};
use crate::reencrypt::report::{Job, Verdict};

/// The most bytes of a value beside its own, and of a statement beside its values.
const BESIDE_A_VALUE: u64 = 24;
const BESIDE_VALUES: u64 = 128;
/// The most bytes of the text of a statement for one row, where a statement has a part for each row.
pub(crate) const TEXT_OF_A_ROW: u64 = 256;
/// The most characters in the literal of an array for each of its bytes.
const OF_A_LITERAL: usize = 2;

/// The bytes of a statement that writes these values of one row.
pub(crate) fn weight<'v>(key: &[KeyValue], values: impl IntoIterator<Item = &'v Cell>) -> u64 {
    let key = key.iter().map(|value| match value {
        KeyValue::Text(text) => text.len(),
        KeyValue::Bytes(bytes) | KeyValue::RawText(bytes) => bytes.len(),
        KeyValue::Int(_) | KeyValue::UInt(_) | KeyValue::Real(_) | KeyValue::Null => size_of::<u64>(),
    });
    let values = key.chain(values.into_iter().map(|cell| cell.bytes.len()));
    values.map(|length| length as u64 + BESIDE_A_VALUE).sum::<u64>() + BESIDE_VALUES
}

/// The bytes of a swap of the whole change.
pub(crate) fn weight_of(change: &Change, table: &PlannedTable) -> u64 {
    let arrays = change.swaps.iter().zip(&table.columns).filter(|(_, column)| column.is_array);
    let of_literals = arrays.filter_map(|(swap, _)| Some(swap.as_ref()?.new.bytes.len() * (OF_A_LITERAL - 1)));
    let values = change.swaps.iter().flatten().flat_map(|swap| [&swap.old, &swap.new]);
    weight(&change.key, values) + of_literals.sum::<usize>() as u64
}

/// The bytes of a swap of one value that sends a digest in place of the old value.
pub(crate) fn weight_by_digest(key: &[KeyValue], swap: &Swap) -> u64 {
    weight(key, [&swap.new]) + DIGEST as u64 + BESIDE_A_VALUE
}

/// Whether no statement can write what the job makes of this cell. The verdict is that on one of its values.
pub(crate) fn is_too_large<DB: SwapRows>(
    key: &[KeyValue],
    cell: &Cell,
    column: &PlannedColumn,
    verdict: &Verdict,
    job: Job,
    longest: u64,
) -> bool {
    let old = cell.bytes.len();
    let new = match (verdict, job) {
        _ if column.is_array => OF_A_LITERAL * array_len(cell, column, job),
        (Verdict::Token { plaintext, .. }, Job::Decrypt) => plaintext.len(),
        (Verdict::Plaintext, Job::Encrypt) if column.is_text => token_len(old),
        (Verdict::Plaintext, Job::Encrypt) => raw_token_len(old),
        _ => old,
    };
    let sent = if DB::SWAPS_BY_DIGEST { DIGEST } else { old };
    let values = 2 * BESIDE_A_VALUE + new as u64 + sent as u64;
    weight(key, []).saturating_add(values) > longest
}

/// The most bytes of what the job makes of an array.
fn array_len(cell: &Cell, column: &PlannedColumn, job: Job) -> usize {
    let array = Array::parse(&cell.bytes).filter(|_| job == Job::Encrypt);
    let of_tokens = array.map(|array| {
        let lengths = array.elements().iter().flatten().map(|element| element.len());
        lengths.map(|length| if column.is_text { token_len(length) } else { raw_token_len(length) }).sum::<usize>()
    });
    cell.bytes.len() + of_tokens.unwrap_or_default()
}

/// The length of a SHA-256 in hexadecimal.
const DIGEST: usize = 64;
