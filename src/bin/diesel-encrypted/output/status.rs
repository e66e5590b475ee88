//! How many values are under each key.

use diesel_encrypted::Keyring;
use diesel_encrypted::reencrypt::{ColumnStatus, SharedRun, Status};
use serde::Serialize;

use super::{document, line, rfc3339, table};
use crate::exit::{Exit, Failure};

/// Prints a status, and the active run, if any.
pub(crate) fn status(
    keyring: &Keyring,
    status: Result<(Status, Option<SharedRun>), Failure>,
    json: bool,
) -> Result<Exit, Failure> {
    if json && status.as_ref().err().is_none_or(Failure::has_document) {
        document(&StatusDocument::new(keyring, &status))?;
    }
    let (status, run) = status?;
    if !json {
        let has_misshapen = status.columns.iter().any(|column| column.misshapen > 0);
        let has_rules = status.columns.iter().any(|column| column.plaintext_where.is_some());
        let more = has_misshapen.then_some("wrong shape").into_iter().chain(has_rules.then_some("plaintext by rule"));
        let head: Vec<&str> = HEAD.into_iter().chain(more).collect();
        let rows = status.columns.iter().map(|column| {
            let misshapen = has_misshapen.then(|| column.misshapen.to_string());
            let exempt = has_rules.then(|| column.exempt.to_string());
            row(column).into_iter().chain(misshapen).chain(exempt).collect()
        });
        line(table(&head, rows))?;
        line(format_args!("\n{}", status.statement()))?;
        if let Some(run) = run {
            line(running(&run))?;
        }
    }
    Ok(exit(&status))
}

fn exit(status: &Status) -> Exit {
    if status.stopped {
        Exit::Stopped
    } else if status.has_bad_values() {
        Exit::BadValues
    } else if status.has_stale_values() || status.doubt.is_some() {
        Exit::NotProven
    } else {
        Exit::Proven
    }
}

fn running(run: &SharedRun) -> String {
    let state = if run.is_paused { "Paused" } else { "Running" };
    format!("{state}: {}, pass {}. Processes: {}.", run.job, run.pass, run.processes.join(", "))
}

const HEAD: [&str; 7] =
    ["column", "rows", "null", "plaintext", "unreadable", "values per key", "oldest and newest token"];

fn row(column: &ColumnStatus) -> Vec<String> {
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

#[derive(Serialize)]
struct StatusDocument<'a> {
    outcome: &'static str,
    primary: String,
    moment: Option<String>,
    columns: &'a [ColumnStatus],
    run: Option<&'a SharedRun>,
}

impl<'a> StatusDocument<'a> {
    fn new(keyring: &Keyring, status: &'a Result<(Status, Option<SharedRun>), Failure>) -> Self {
        let (outcome, status, run) = match status {
            Ok((status, run)) => (if status.stopped { "stopped" } else { "read" }, Some(status), run.as_ref()),
            Err(failure) => (failure.exit.outcome(), None, None),
        };
        Self {
            outcome,
            primary: keyring.primary().to_string(),
            moment: status.and_then(|status| rfc3339(status.moment)),
            columns: status.map_or(&[], |status| &status.columns),
            run,
        }
    }
}
