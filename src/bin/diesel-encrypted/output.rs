//! Results on standard output: a table for people, or one JSON document.

use std::io::{self, Write};

use diesel_encrypted::Keyring;
use diesel_encrypted::reencrypt::{ColumnReport, ColumnStatus, Outcome, Problem, Report, Status, TaskError};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::{Exit, Failure};

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

pub(crate) fn status(status: &Status, json: bool) -> Result<Exit, Failure> {
    if json {
        let columns = status.columns.iter().map(StatusColumn::new).collect();
        document(&StatusDocument { primary: status.primary.to_string(), columns })?;
    } else {
        line(table(&STATUS_HEAD, status.columns.iter().map(status_row)))?;
    }
    Ok(match () {
        () if status.stopped => Exit::Stopped,
        () if status.has_bad_values() => Exit::BadValues,
        () if status.has_stale_values() => Exit::NotProven,
        () => Exit::Proven,
    })
}

pub(crate) fn report(
    keyring: &Keyring,
    result: Result<Report, TaskError>,
    json: bool,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let (report, failure) = match result {
        Ok(report) => (Some(report), None),
        Err(error) => (error.report().cloned(), Some(Failure::from(error))),
    };
    let exit = match (&failure, &report) {
        (Some(failure), _) => failure.exit,
        (None, Some(report)) => match report.outcome() {
            Outcome::Proven if report.problems().is_empty() => Exit::Proven,
            Outcome::Proven => Exit::BadValues,
            Outcome::Stopped => Exit::Stopped,
            _ => Exit::NotProven,
        },
        (None, None) => Exit::Internal,
    };
    if json {
        document(&ReportDocument::new(keyring, report.as_ref(), exit))?;
    } else if let Some(report) = &report {
        line(table(&REPORT_HEAD, report.columns().iter().map(report_row)))?;
        if !report.problems().is_empty() {
            let rows = report.problems().iter().map(|Problem { table, column, row, kind, .. }| {
                vec![format!("{table}.{column}"), row.clone(), kind.to_string()]
            });
            line(format_args!("\n{}", table(&["not readable", "row", "kind"], rows)))?;
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if let Some(report) = &report {
        if report.problems_omitted() > 0 {
            eprintln!("{} more values are not readable; only the first are listed", report.problems_omitted());
        }
        eprintln!("{}", advice(keyring, report, exit, dry_run));
    }
    Ok(exit)
}

/// The JSON document of a task that did not begin. For a wrong call (exit code 2) there is none.
pub(crate) fn failure(keyring: &Keyring, failure: &Failure, json: bool) -> Result<Exit, Failure> {
    if json && failure.exit != Exit::Usage {
        document(&ReportDocument::new(keyring, None, failure.exit))?;
    }
    Ok(failure.exit)
}

/// What happened, and what to do next.
fn advice(keyring: &Keyring, report: &Report, exit: Exit, dry_run: bool) -> String {
    let primary = report.primary();
    let old: Vec<String> = keyring.fingerprints().skip(1).map(|fingerprint| fingerprint.to_string()).collect();
    match exit {
        Exit::Proven if old.is_empty() => format!("proven: every value is under the primary key {primary}"),
        Exit::Proven => format!(
            "proven: every value is under the primary key {primary}. When no application writes with another primary \
             key any more, these may be removed from the keyring: {}",
            old.join(", ")
        ),
        Exit::BadValues => format!(
            "proven: every value is under the primary key {primary}, except those listed, which were left as they are. \
             Find the key that wrote the unreadable ones, or repair the rows; keep the old keys until then"
        ),
        Exit::Stopped => "stopped on request: run it again to go on; keep the old keys until it is proven".into(),
        _ if dry_run => format!("dry run: nothing was written; values are left to be rewritten under {primary}"),
        _ => format!(
            "not proven: values under secondary keys are left after {} passes: rows that stay locked, or an \
             application that still writes with an old primary key. Run it again; keep the old keys until it is proven",
            report.passes()
        ),
    }
}

const STATUS_HEAD: [&str; 7] =
    ["column", "rows", "null", "plaintext", "unreadable", "values per key", "tokens from to"];

fn status_row(column: &ColumnStatus) -> Vec<String> {
    let keys = column.keys.iter().map(|key| format!("{}={}", key.fingerprint, key.values));
    let dates = [column.oldest, column.newest].map(|date| date.and_then(rfc3339).unwrap_or_else(|| "-".into()));
    vec![
        format!("{}.{}", column.table, column.column),
        column.rows.to_string(),
        column.null.to_string(),
        column.plaintext.to_string(),
        column.unreadable.to_string(),
        keys.collect::<Vec<_>>().join(" "),
        dates.join(" "),
    ]
}

const REPORT_HEAD: [&str; 8] = ["column", "scanned", "rewritten", "current", "null", "raced", "busy", "bad"];

fn report_row(column: &ColumnReport) -> Vec<String> {
    let counts = [column.scanned, column.rewritten, column.current, column.null, column.raced, column.busy, column.bad];
    let name = format!("{}.{}", column.table, column.column);
    std::iter::once(name).chain(counts.iter().map(u64::to_string)).collect()
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

fn rfc3339(seconds: u64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds.try_into().ok()?).ok()?.format(&Rfc3339).ok()
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

#[derive(Serialize)]
struct StatusDocument<'a> {
    primary: String,
    columns: Vec<StatusColumn<'a>>,
}

#[derive(Serialize)]
struct StatusColumn<'a> {
    table: &'a str,
    column: &'a str,
    rows: u64,
    null: u64,
    plaintext: u64,
    unreadable: u64,
    keys: Vec<StatusKey>,
    oldest: Option<String>,
    newest: Option<String>,
}

#[derive(Serialize)]
struct StatusKey {
    fingerprint: String,
    role: &'static str,
    values: u64,
}

impl<'a> StatusColumn<'a> {
    fn new(column: &'a ColumnStatus) -> Self {
        let keys = column.keys.iter().map(|key| StatusKey {
            fingerprint: key.fingerprint.to_string(),
            role: role(key.is_primary),
            values: key.values,
        });
        Self {
            table: &column.table,
            column: &column.column,
            rows: column.rows,
            null: column.null,
            plaintext: column.plaintext,
            unreadable: column.unreadable,
            keys: keys.collect(),
            oldest: column.oldest.and_then(rfc3339),
            newest: column.newest.and_then(rfc3339),
        }
    }
}

#[derive(Serialize)]
struct ReportDocument<'a> {
    outcome: &'static str,
    primary: String,
    columns: Vec<ReportColumn<'a>>,
    problems: Vec<ReportProblem<'a>>,
}

#[derive(Serialize)]
struct ReportColumn<'a> {
    table: &'a str,
    column: &'a str,
    scanned: u64,
    rewritten: u64,
    current: u64,
    null: u64,
    raced: u64,
    busy: u64,
    bad: u64,
}

#[derive(Serialize)]
struct ReportProblem<'a> {
    table: &'a str,
    column: &'a str,
    row: &'a str,
    kind: String,
}

impl<'a> ReportDocument<'a> {
    fn new(keyring: &Keyring, report: Option<&'a Report>, exit: Exit) -> Self {
        let columns = report.into_iter().flat_map(Report::columns).map(|column| ReportColumn {
            table: &column.table,
            column: &column.column,
            scanned: column.scanned,
            rewritten: column.rewritten,
            current: column.current,
            null: column.null,
            raced: column.raced,
            busy: column.busy,
            bad: column.bad,
        });
        let problems = report.into_iter().flat_map(Report::problems).map(|problem| ReportProblem {
            table: &problem.table,
            column: &problem.column,
            row: &problem.row,
            kind: problem.kind.to_string(),
        });
        Self {
            outcome: match exit {
                Exit::Proven | Exit::BadValues => "proven",
                Exit::NotProven => "incomplete",
                Exit::Refused => "refused",
                Exit::Stopped => "stopped",
                Exit::Internal | Exit::Usage | Exit::GaveUp => "failed",
            },
            primary: keyring.primary().to_string(),
            columns: columns.collect(),
            problems: problems.collect(),
        }
    }
}
