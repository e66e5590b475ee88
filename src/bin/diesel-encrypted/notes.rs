//! Messages on standard error: lines for people, or with `--json` one JSON object per line.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicBool, Ordering};

use diesel_encrypted::printable;
use diesel_encrypted::reencrypt::Estimate;
use serde::Serialize;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::output::on_screen;

/// Whether `--quiet` is set. Like the log, it belongs to the process.
static QUIET: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether to print only results, warnings and errors.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Prints a message, unless `--quiet` is set.
pub(crate) fn info(json: bool, event: &'static str, message: impl Display) {
    if !is_quiet() {
        say(json, event, message);
    }
}

fn say(json: bool, event: &'static str, message: impl Display) {
    if json {
        emit(event, &Message { message: message.to_string() });
    } else {
        eprintln!("{}", on_screen(message));
    }
}

/// Prints a message that begins with the name of the program.
pub(crate) fn warn(json: bool, event: &'static str, message: impl Display) {
    if json {
        say(json, event, message);
    } else {
        say(json, event, format_args!("diesel-encrypted: {message}"));
    }
}

/// Prints what the job will cost, table by table.
pub(crate) fn estimate(json: bool, estimate: &Estimate) {
    if is_quiet() {
        return;
    }
    for table in &estimate.tables {
        if json {
            emit("estimate", table);
        } else {
            eprintln!("{table}");
            table.advice.iter().for_each(|advice| eprintln!("  {}", printable(advice)));
        }
    }
}

/// Prints one JSON object.
pub(crate) fn emit(event: &'static str, details: &impl Serialize) {
    // Invariant: the details are structs of strings and numbers, which always serialize.
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

/// How the lines of the log show their fields: without control characters, because others choose the names in a database.
pub(crate) fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn Debug| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", printable(&value)),
            name => write!(writer, "{name}={}", printable(&value)),
        }
    };
    debug_fn(field).delimited(" ")
}
