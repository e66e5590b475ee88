//! The program as a process, on this database.

mod acceptance;
mod interruption;
mod pinakes;
mod reencrypt;
mod refusals;
mod status;
mod targets;
pub mod vault;

use std::collections::BTreeSet;

use serde_json::{Value, json};

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

/// Checks that this is a report on two columns with this outcome, and that it has every field and no other.
#[track_caller]
pub fn assert_is_report(json: &Value, outcome: &str) {
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(json["outcome"], outcome);
    assert_eq!(fields(json), ["columns", "outcome", "primary", "problems"].map(String::from).into());
    let columns = json["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 2);
    for column in columns {
        let expected = ["bad", "busy", "column", "current", "null", "raced", "rewritten", "scanned", "table"];
        assert_eq!(fields(column), expected.map(String::from).into());
    }
    assert_eq!(json["problems"], json!([]));
}
