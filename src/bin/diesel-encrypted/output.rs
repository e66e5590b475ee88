//! Results on standard output: tables for people, or one JSON document.

mod discovery;
mod problems;
mod report;
mod retirement;
mod status;

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use diesel_encrypted::{Keyring, printable};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::{Exit, Failure};

pub(crate) use discovery::discovery;
pub(crate) use problems::problems;
pub(crate) use report::{Ending, report, written};
pub(crate) use retirement::retirement;
pub(crate) use status::status;

/// Prints a line, or several. Control characters in it are escaped, because others choose the names in a database.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<Exit, Failure> {
    print(on_screen(text))
}

/// A text for a terminal: it has no control characters except the ends of its lines.
pub(crate) fn on_screen(text: impl std::fmt::Display) -> String {
    text.to_string().split('\n').map(|line| printable(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// Prints bytes that this program has generated, unchanged.
pub(crate) fn raw(bytes: &[u8]) -> Result<Exit, Failure> {
    sent(io::stdout().write_all(bytes))
}

fn print(text: String) -> Result<Exit, Failure> {
    sent(writeln!(io::stdout(), "{text}"))
}

fn sent(result: io::Result<()>) -> Result<Exit, Failure> {
    match result {
        // A reader such as `head` may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Internal, format!("cannot write the result: {error}")))
        }
        _ => Ok(Exit::Proven),
    }
}

pub(crate) fn keys(keyring: &Keyring, json: bool) -> Result<Exit, Failure> {
    let keys = keyring.fingerprints().enumerate().map(|(index, fingerprint)| KeyRow {
        position: index + 1,
        role: role(index == 0),
        fingerprint: fingerprint.to_string(),
    });
    let keys: Vec<KeyRow> = keys.collect();
    if json {
        return document(&KeysDocument { keys });
    }
    let rows = keys.iter().map(|key| vec![key.position.to_string(), key.role.into(), key.fingerprint.clone()]);
    line(table(&["position", "role", "fingerprint"], rows))
}

#[derive(Serialize)]
struct KeysDocument {
    keys: Vec<KeyRow>,
}

#[derive(Serialize)]
struct KeyRow {
    position: usize,
    role: &'static str,
    fingerprint: String,
}

/// A table with a head, its columns two spaces apart.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    // A line break in a name must not begin a row.
    let rows = rows.map(|cells| cells.iter().map(|cell| printable(cell).to_string()).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |index: usize| lines.iter().map(|cells| cells[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let aligned = lines.iter().map(|cells| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    aligned.collect::<Vec<_>>().join("\n")
}

fn document(document: &impl Serialize) -> Result<Exit, Failure> {
    match serde_json::to_string_pretty(document) {
        Ok(text) => print(text),
        Err(error) => Err(Failure::new(Exit::Internal, format!("cannot write the result: {error}"))),
    }
}

fn role(is_primary: bool) -> &'static str {
    if is_primary { "primary" } else { "secondary" }
}

/// `1 value`, `3 values`
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The text with a period at its end.
fn sentence(text: impl std::fmt::Display) -> String {
    format!("{}.", text.to_string().trim_end_matches('.'))
}

/// `2026-11-25T02:33:10.123Z`
fn rfc3339(time: SystemTime) -> Option<String> {
    let nanoseconds = i128::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?.format(&Rfc3339).ok()
}
