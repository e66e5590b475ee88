//! What `reencrypt`, `encrypt` or `decrypt` did and found.

use diesel_encrypted::Keyring;
use diesel_encrypted::reencrypt::{ColumnReport, Doubt, Job, Outcome, Problem, Proof, Report};
use serde::Serialize;

use super::problems::problem_table;
use super::{document, line, table};
use crate::exit::{Exit, Failure};
use crate::notes;

/// Problems that people see one by one.
const SHOWN: usize = 20;

/// A report, and the failure that ended the work if there was one.
pub(crate) fn report(
    keyring: &Keyring,
    job: Job,
    report: Option<Report>,
    failure: Option<Failure>,
    json: bool,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let exit = exit(report.as_ref(), failure.as_ref());
    if json && failure.as_ref().is_none_or(Failure::has_document) {
        document(&ReportDocument::new(keyring, report.as_ref(), exit))?;
    } else if let Some(report) = report.as_ref().filter(|_| !json) {
        show(report)?;
    }
    match (failure, report) {
        (Some(failure), _) => return Err(failure),
        (None, Some(report)) if job == Job::Decrypt => {
            notes::tell(json, "ended", decrypted(&report, exit, dry_run));
        }
        (None, Some(report)) => notes::tell(json, "ended", advice(keyring, &report, exit, dry_run)),
        (None, None) => {}
    }
    Ok(exit)
}

/// The exit code of a failure if there was one, else of what the report says.
pub(crate) fn exit(report: Option<&Report>, failure: Option<&Failure>) -> Exit {
    match (failure, report) {
        (Some(failure), _) => failure.exit,
        (None, None) => Exit::Internal,
        (None, Some(report)) => match report.outcome() {
            Outcome::Proven if report.problems().is_empty() => Exit::Proven,
            Outcome::Proven => Exit::BadValues,
            Outcome::Stopped => Exit::Stopped,
            _ => Exit::NotProven,
        },
    }
}

fn show(report: &Report) -> Result<Exit, Failure> {
    line(table(&HEAD, report.columns().iter().map(row)))?;
    let problems = report.problems();
    if !problems.is_empty() {
        line(format_args!("\n{}", problem_table(problems.iter().take(SHOWN))))?;
    }
    let more = problems.len().saturating_sub(SHOWN) as u64 + report.problems_omitted();
    if more > 0 {
        line(format_args!("{more} more: see `diesel-encrypted problems`, or --json"))?;
    }
    line(format_args!("\n{}", report.statement()))
}

/// What happened, and what to do next.
fn advice(keyring: &Keyring, report: &Report, exit: Exit, dry_run: bool) -> String {
    let primary = report.primary();
    let old: Vec<String> = keyring.fingerprints().skip(1).map(|fingerprint| fingerprint.to_string()).collect();
    match (exit, report.doubt()) {
        (Exit::Proven, _) if old.is_empty() => format!("proven: every value is under the primary key {primary}"),
        (Exit::Proven, _) => format!(
            "proven: every value is under the primary key {primary}. When no application writes with another primary \
             key any more, these may be removed from the keyring: {}",
            old.join(", ")
        ),
        (Exit::BadValues, _) => format!(
            "proven: every value is under the primary key {primary}, except those listed, which were left as they are. \
             Find the key that wrote the unreadable ones, or repair the rows; keep the old keys until then"
        ),
        (Exit::Stopped, _) => "stopped on request: run it again to go on; keep the old keys until it is proven".into(),
        _ if dry_run => match report.columns().iter().map(ColumnReport::stale).sum::<u64>() {
            0 => "dry run: nothing was written, and nothing is left to be; a run without --dry-run proves it".into(),
            stale => format!("dry run: nothing was written; {stale} values are left to be rewritten under {primary}"),
        },
        (_, Some(doubt)) => format!("not proven: {doubt}; keep the old keys until it is proven"),
        _ => "not proven: run it again; keep the old keys until it is proven".into(),
    }
}

/// The same for the way out.
fn decrypted(report: &Report, exit: Exit, dry_run: bool) -> String {
    match (exit, report.doubt()) {
        (Exit::Proven, _) => {
            "proven: every value is plaintext. Keep the keys as long as you keep backups from before, and \
             as long as any application still encrypts"
                .into()
        }
        (Exit::BadValues, _) => {
            "proven: every value is plaintext, except those listed, which were left as they are. Keep \
             the keys until they are mended"
                .into()
        }
        (Exit::Stopped, _) => "stopped on request: run it again to go on; keep the keys until it is proven".into(),
        _ if dry_run => match report.columns().iter().map(ColumnReport::stale).sum::<u64>() {
            0 => "dry run: nothing was written, and nothing is left to be; a run without --dry-run proves it".into(),
            stale => format!("dry run: nothing was written; {stale} values are left to be written as plaintext"),
        },
        (_, Some(doubt)) => format!("not proven: {doubt}; keep the keys until it is proven"),
        _ => "not proven: run it again; keep the keys until it is proven".into(),
    }
}

const HEAD: [&str; 8] = ["column", "scanned", "rewritten", "current", "null", "raced", "busy", "bad"];

fn row(column: &ColumnReport) -> Vec<String> {
    let counts = [column.scanned, column.rewritten, column.current, column.null, column.raced, column.busy, column.bad];
    let name = format!("{}.{}", column.table, column.column);
    std::iter::once(name).chain(counts.iter().map(u64::to_string)).collect()
}

#[derive(Serialize)]
struct ReportDocument<'a> {
    outcome: &'static str,
    primary: String,
    passes: u32,
    columns: &'a [ColumnReport],
    problems: &'a [Problem],
    problems_omitted: u64,
    proof: Option<&'a Proof>,
    doubt: Option<String>,
}

impl<'a> ReportDocument<'a> {
    fn new(keyring: &Keyring, report: Option<&'a Report>, exit: Exit) -> Self {
        Self {
            outcome: exit.outcome(),
            primary: keyring.primary().to_string(),
            passes: report.map_or(0, Report::passes),
            columns: report.map_or(&[], Report::columns),
            problems: report.map_or(&[], Report::problems),
            problems_omitted: report.map_or(0, Report::problems_omitted),
            proof: report.and_then(Report::proof),
            doubt: report.and_then(Report::doubt).map(Doubt::to_string),
        }
    }
}
