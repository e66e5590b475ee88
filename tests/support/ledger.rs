//! The writers of the chaos test and of the journey change each row together with its row of a ledger.

/// Checks that a statement changed one row. The row of the ledger is locked, so the row of the table has to exist.
pub fn one(rows: usize) {
    assert_eq!(rows, 1, "the ledger has the row, but the table has lost it");
}

/// A timestamp of its own for each of `writers`, and for each operation of a writer.
pub fn stamp(writer: usize, writers: usize, operation: i64) -> String {
    let number = operation * writers as i64 + writer as i64;
    let (seconds, micros) = (number / 1000, number % 1000);
    format!(
        "2026-01-{:02} {:02}:{:02}:{:02}.{micros:06}",
        1 + seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}
