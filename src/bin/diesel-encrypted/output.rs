//! Results on standard output: a table for people, or one JSON document.

mod discovery;
mod problems;
mod report;
mod retirement;
mod status;

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use diesel_encrypted::Keyring;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::{Exit, Failure};

pub(crate) use discovery::discovery;
pub(crate) use problems::problems;
pub(crate) use report::{exit, report};
pub(crate) use retirement::retirement;
pub(crate) use status::status;

/// Prints one line.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<Exit, Failure> {
    match writeln!(io::stdout(), "{text}") {
        // Who reads only the head of the output has what he wants.
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

/// Columns under their heads, two blanks apart.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.insert(0, head.iter().map(|name| (*name).to_owned()).collect());
    let width = |index: usize| rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn document(document: &impl Serialize) -> Result<Exit, Failure> {
    match serde_json::to_string_pretty(document) {
        Ok(text) => line(text),
        Err(error) => Err(Failure::new(Exit::Internal, format!("cannot write the result: {error}"))),
    }
}

fn role(is_primary: bool) -> &'static str {
    if is_primary { "primary" } else { "secondary" }
}

/// `2026-11-25T02:33:10.123Z`
fn rfc3339(time: SystemTime) -> Option<String> {
    let nanoseconds = i128::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?.format(&Rfc3339).ok()
}
