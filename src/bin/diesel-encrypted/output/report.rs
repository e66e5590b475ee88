//! The report of `reencrypt`, `encrypt` or `decrypt`.

use diesel_encrypted::reencrypt::{ColumnReport, Doubt, Job, Outcome, Problem, ProblemKind, Proof, Report, TaskError};
use diesel_encrypted::{Fingerprint, Keyring};
use serde::Serialize;

use super::problems::problem_table;
use super::{count, document, line, sentence, table};
use crate::exit::{Exit, Failure};
use crate::notes;
use crate::remedy::after_doubt;
use crate::summary::Summary;

/// The maximum number of problems in the output for people.
const SHOWN: usize = 20;

/// How a job ended: its report, if there is one, and the failure that ended it, if any.
pub(crate) struct Ending {
    pub(crate) report: Option<Report>,
    pub(crate) failure: Option<Failure>,
}

impl Ending {
    pub(crate) fn exit(&self) -> Exit {
        match (&self.failure, &self.report) {
            (Some(failure), _) => failure.exit,
            (None, None) => Exit::Internal,
            (None, Some(report)) => match report.outcome() {
                Outcome::Proven if report.old_keys_may_go() => Exit::Proven,
                Outcome::Proven => Exit::BadValues,
                Outcome::Stopped => Exit::Stopped,
                _ => Exit::NotProven,
            },
        }
    }
}

impl From<Result<Report, TaskError>> for Ending {
    fn from(result: Result<Report, TaskError>) -> Self {
        match result {
            Ok(report) => Self { report: Some(report), failure: None },
            Err(error) => Self { report: error.report().cloned(), failure: Some(error.into()) },
        }
    }
}

/// Prints how a job ended.
pub(crate) fn report(
    keyring: &Keyring,
    job: Job,
    ending: Ending,
    json: bool,
    dry_run: bool,
    summary: Option<Summary>,
) -> Result<Exit, Failure> {
    let exit = ending.exit();
    let Ending { report, failure } = ending;
    if json && failure.as_ref().is_none_or(Failure::has_document) {
        document(&ReportDocument::new(keyring, report.as_ref(), exit))?;
    } else if let Some(report) = report.as_ref().filter(|_| !json) {
        show(report)?;
    }
    if let Some(summary) = summary {
        summary.print(json, (!dry_run).then(|| written(job)));
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if let Some(report) = report {
        notes::info(json, "ended", advice(keyring, job, &report, exit, dry_run));
        report.doubt().and_then(after_doubt).into_iter().for_each(|next| notes::info(json, "ended", next));
    }
    Ok(exit)
}

fn show(report: &Report) -> Result<Exit, Failure> {
    let has_exempt = report.columns().iter().any(|column| column.plaintext_where.is_some());
    let head = HEAD.map(|name| if name == "rewritten" { written(report.job()) } else { name });
    let head: Vec<&str> = head.into_iter().chain(has_exempt.then_some("plaintext by rule")).collect();
    line(table(&head, report.columns().iter().map(|column| row(column, has_exempt))))?;
    let problems = report.problems();
    if !problems.is_empty() {
        line(format_args!("\n{}", problem_table(problems.iter().take(SHOWN))))?;
    }
    let hidden = problems.len().saturating_sub(SHOWN) as u64 + report.problems_omitted();
    if hidden > 0 {
        let more = count(hidden, "more problem");
        line(format_args!("Not shown: {more}. List them with `diesel-encrypted problems`, or use --json."))?;
    }
    line(format_args!("\n{}", report.statement()))
}

/// What a job does to the values that it writes.
pub(crate) fn written(job: Job) -> &'static str {
    match job {
        Job::Encrypt => "encrypted",
        Job::Decrypt => "decrypted",
        _ => "rewritten",
    }
}

/// What happened, and what to do next.
fn advice(keyring: &Keyring, job: Job, report: &Report, exit: Exit, dry_run: bool) -> String {
    let primary = report.primary();
    let done = match job {
        Job::Decrypt => "every value is plaintext".to_owned(),
        Job::Encrypt => format!("every value is encrypted under the primary key {primary}"),
        _ => format!("every value is under the primary key {primary}"),
    };
    let keys = if job == Job::Decrypt { "the keys" } else { "the old keys" };
    match exit {
        Exit::Proven => match after_proof(keyring, job) {
            Some(next) => format!("proven: {done}. {next}"),
            None => format!("proven: {done}"),
        },
        Exit::BadValues => format!(
            "proven: {done}, except for the listed ones, which are unchanged. {} Keep {keys} until then.",
            repairs(job, report)
        ),
        Exit::Stopped => {
            let hint = match job {
                Job::Encrypt => " If it refuses the tokens of this run, add --accept-tokens-since.",
                _ => "",
            };
            let why = match report.time_limit() {
                Some(limit) => format!("stopped by --max-runtime after {} s", limit.as_secs_f64()),
                None => "stopped on request".into(),
            };
            format!("{why}. Run the command again to continue.{hint} Keep {keys} until the job is proven.")
        }
        _ if dry_run => match report.columns().iter().map(ColumnReport::stale).sum::<u64>() {
            0 => {
                "dry run: nothing was written, and nothing is left to write. Run without --dry-run to prove it.".into()
            }
            stale => format!("dry run: nothing was written. A run would {}.", work(job, stale, primary)),
        },
        _ => match report.doubt() {
            Some(doubt) => {
                format!("not proven: {}{} Keep {keys} until the job is proven.", sentence(doubt), too_large(report))
            }
            None => format!("not proven. Run the command again, and keep {keys} until the job is proven."),
        },
    }
}

/// What to do about the problems of a report.
fn repairs(job: Job, report: &Report) -> String {
    let has = |kind| report.problems().iter().any(|problem| problem.kind == kind);
    let mut repairs = Vec::new();
    match (has(ProblemKind::Plaintext), has(ProblemKind::Unreadable)) {
        _ if job == Job::Decrypt => repairs.push("Fix them."),
        (true, true) => repairs.push(
            "Encrypt the plaintext with `diesel-encrypted encrypt`. For unreadable values, find their key or repair the \
             rows.",
        ),
        (true, false) => repairs.push("Encrypt them with `diesel-encrypted encrypt`."),
        (false, true) => repairs.push("Find the key that encrypted them, or repair the rows."),
        (false, false) => {}
    }
    if has(ProblemKind::Plaintext) && job == Job::Reencrypt {
        repairs.push("If plaintext is right in some rows, declare them with --plaintext-where.");
    }
    if has(ProblemKind::Misshapen) {
        repairs.push(
            "A value of a wrong shape holds a token in quotes, in JSON, between blanks, or encoded once more: store the \
             token alone. If no key opens it and it is meant as plaintext, `encrypt` takes it with --token-like-plaintext.",
        );
    }
    if has(ProblemKind::NotText) && job == Job::Encrypt {
        repairs.push(
            "Plaintext that is not text (UTF-8) would not load in a model of a text column: correct its characters, or \
             move it to a binary column.",
        );
    }
    if has(ProblemKind::Number) {
        repairs.push(
            "Turn the numbers into text or bytes, as the application reads them: UPDATE … SET x = CAST(x AS BLOB).",
        );
    }
    if repairs.is_empty() {
        repairs.push("See the list of problems.");
    }
    repairs.join(" ")
}

/// What to do about values that no statement can write.
fn too_large(report: &Report) -> &'static str {
    if report.problems().iter().any(|problem| problem.kind == ProblemKind::TooLarge) {
        " Some values are too large for a statement: raise max_allowed_packet on the server (MySQL, MariaDB), and run the \
         command again."
    } else {
        ""
    }
}

fn work(job: Job, stale: u64, primary: Fingerprint) -> String {
    let values = count(stale, "value");
    match job {
        Job::Decrypt => format!("decrypt {values}"),
        Job::Encrypt => format!("encrypt {values} under the primary key {primary}"),
        _ => format!("re-encrypt {values} under the primary key {primary}"),
    }
}

/// Which keys can be removed after a proof, and when.
fn after_proof(keyring: &Keyring, job: Job) -> Option<String> {
    if job == Job::Decrypt {
        return Some("Keep the keys while you have older backups, and while any application still encrypts.".into());
    }
    let secondary: Vec<String> = keyring.fingerprints().skip(1).map(|key| key.to_string()).collect();
    if secondary.is_empty() {
        return None;
    }
    let keys = secondary.join(", ");
    Some(format!("Once no application writes with another primary key, you can remove these from the keyring: {keys}."))
}

const HEAD: [&str; 8] = ["column", "scanned", "rewritten", "current", "null", "raced", "busy", "bad"];

fn row(column: &ColumnReport, has_exempt: bool) -> Vec<String> {
    let counts = [column.scanned, column.rewritten, column.current, column.null, column.raced, column.busy, column.bad];
    let name = format!("{}.{}", column.table, column.column);
    let exempt = has_exempt.then(|| column.exempt.to_string());
    std::iter::once(name).chain(counts.iter().map(u64::to_string)).chain(exempt).collect()
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
