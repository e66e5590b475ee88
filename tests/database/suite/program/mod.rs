//! Runs the program as a process, on this database.

mod acceptance;
mod control;
mod conversion;
mod discover;
pub mod guard;
mod interruption;
mod metrics;
mod migration;
mod names;
mod pinakes;
pub mod pooled;
mod problems;
mod records;
mod reencrypt;
mod refusals;
mod retire;
pub mod scene;
mod status;
mod targets;
pub mod vault;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::keys::key;

/// Returns a [`key`](crate::support::keys::key) in the form of the settings.
pub fn key_text(number: u8) -> String {
    key(number).to_text().to_string()
}

/// Returns the fingerprint of the same key, as output shows it.
pub fn fingerprint(number: u8) -> String {
    key(number).fingerprint().to_string()
}

/// Splits the printed tables into cells, line by line. Two or more blanks separate columns, and an empty line separates
/// tables. A paragraph of text ends the output.
pub fn cells(output: &str) -> Vec<Vec<&str>> {
    let (tables, _) = output.rsplit_once("\n\n").expect("a table, and a statement");
    let line = |line| str::split(line, "  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    tables.lines().map(line).collect()
}

/// Returns the text below the tables, with `TIME` in place of each time.
pub fn statement(output: &str) -> String {
    let (_, statement) = output.rsplit_once("\n\n").expect("a table, and a statement");
    let words = statement.trim_end().split(' ').map(|word| match word.strip_suffix("Z,").is_some_and(is_a_moment) {
        true => "TIME,",
        false => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether this is a time such as `2026-11-25T02:33:10.123Z`, without the `Z`.
fn is_a_moment(text: &str) -> bool {
    text.len() >= 19 && text.starts_with("20") && text.chars().all(|character| "0123456789-:.T".contains(character))
}

/// Whether a document contains a time of this day.
pub fn is_recent(moment: &Value) -> bool {
    let moment = moment.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    moment.is_some_and(|moment| (OffsetDateTime::now_utc() - moment).abs() < time::Duration::DAY)
}

/// Checks that this is a report on two columns with this outcome, and that it has exactly the documented fields.
#[track_caller]
pub fn assert_is_report(json: &Value, outcome: &str) {
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(json["outcome"], outcome);
    let expected = ["columns", "doubt", "outcome", "passes", "primary", "problems", "problems_omitted", "proof"];
    assert_eq!(fields(json), expected.map(String::from).into());
    let columns = json["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 2);
    for column in columns {
        let expected = ["bad", "busy", "column", "current", "exempt", "null", "raced", "rewritten", "scanned", "table"];
        assert_eq!(fields(column), expected.map(String::from).into());
    }
    assert_eq!(json["problems"], json!([]));
}
