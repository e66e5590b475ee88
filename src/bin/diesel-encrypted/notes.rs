//! What is told on standard error: lines for people, or with `--json` one JSON object on each.

use std::fmt::Display;

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
