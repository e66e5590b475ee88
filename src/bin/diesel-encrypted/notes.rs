//! What is told on standard error: lines for people, or with `--json` one JSON object on each.

use std::fmt::Display;

use diesel_encrypted::reencrypt::{Estimate, TableEstimate};
use serde::Serialize;

/// Tells people what happened, or a program what event that was.
pub(crate) fn tell(json: bool, event: &'static str, message: impl Display) {
    if json {
        emit(event, &Message { message: message.to_string() });
    } else {
        eprintln!("{message}");
    }
}

/// Tells the same as a message of this program.
pub(crate) fn warn(json: bool, event: &'static str, message: impl Display) {
    match json {
        true => tell(json, event, message),
        false => tell(json, event, format_args!("diesel-encrypted: {message}")),
    }
}

/// What lies ahead, table by table.
pub(crate) fn estimate(json: bool, estimate: &Estimate) {
    for table in &estimate.tables {
        if json {
            let TableEstimate { table, rows, rewritten, logged, growth, advice, .. } = table;
            let (rows, rewritten, logged, growth) = (*rows, *rewritten, *logged, *growth);
            emit("estimate", &Ahead { table, rows, rewritten, logged, growth, advice });
        } else {
            eprintln!("{table}");
            table.advice.iter().for_each(|advice| eprintln!("  {advice}"));
        }
    }
}

/// One event for a program.
pub(crate) fn emit(event: &'static str, details: &impl Serialize) {
    // Invariant: the details are structs of texts and numbers, which JSON can hold.
    if let Ok(text) = serde_json::to_string(&Event { event, details }) {
        eprintln!("{text}");
    }
}

#[derive(Serialize)]
struct Event<'a, D> {
    event: &'static str,
    #[serde(flatten)]
    details: &'a D,
}

#[derive(Serialize)]
struct Message {
    message: String,
}

/// Sizes in bytes.
#[derive(Serialize)]
struct Ahead<'a> {
    table: &'a str,
    rows: Option<u64>,
    rewritten: Option<u64>,
    logged: Option<u64>,
    growth: Option<u64>,
    advice: &'a [String],
}
