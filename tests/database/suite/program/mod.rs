//! The program as a process, on this database.

mod acceptance;
mod interruption;
mod pinakes;
mod reencrypt;
mod refusals;
mod status;
mod targets;
pub mod vault;

use crate::common::key;

/// A key of [`common`](crate::common::key) as the settings hold it.
pub fn key_text(number: u8) -> String {
    key(number).to_text().to_string()
}

/// The same key as output shows it.
pub fn fingerprint(number: u8) -> String {
    key(number).fingerprint().to_string()
}

/// The cells of a printed table, line by line: columns are at least two blanks apart.
pub fn cells(table: &str) -> Vec<Vec<&str>> {
    let line = |line| str::split(line, "  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    table.lines().map(line).collect()
}
