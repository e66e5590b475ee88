//! `--metrics-file`: a text file for Prometheus, such as the textfile collector of its node exporter reads.
//!
//! It is written anew every ten seconds and at the end, beside its place first and then renamed, so that nobody ever
//! reads half of it. The numbers are those of this process.
//!
//! | metric | type | |
//! |---|---|---|
//! | `diesel_encrypted_running` | gauge | 1 while the process is at work, 0 when it has ended |
//! | `diesel_encrypted_exit_code` | gauge | the exit code; only when it has ended |
//! | `diesel_encrypted_pass` | gauge | the current or last walk over the tables, counted from 1 |
//! | `diesel_encrypted_proving` | gauge | 1 while everything is read once more, for the proof |
//! | `diesel_encrypted_waiting` | gauge | 1 while the process waits: paused, for others, for open transactions; why is in its progress |
//! | `diesel_encrypted_rows_read_total` | counter | rows read, in all passes and for the proof |
//! | `diesel_encrypted_values_rewritten_total` | counter | values written anew under the primary key |
//! | `diesel_encrypted_bad_values` | gauge | values found in this pass that are not readable tokens; at the end, all problems of the report |
//! | `diesel_encrypted_table_rows` | gauge | per table: rows read in this pass |
//! | `diesel_encrypted_table_rows_estimated` | gauge | per table: rows, as far as the database can estimate them |
//! | `diesel_encrypted_last_proof_timestamp_seconds` | gauge | when it was proven last that every value is under the primary key, by any run that kept this file |

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use diesel_encrypted::reencrypt::{Progress, Report};

use crate::exit::{Exit, Failure};

/// Between two writes.
const INTERVAL: Duration = Duration::from_secs(10);
const LAST_PROOF: &str = "diesel_encrypted_last_proof_timestamp_seconds";

pub(crate) struct Metrics {
    path: PathBuf,
    written: Instant,
    last: Option<Progress>,
    /// In seconds since 1970, as it is written.
    last_proof: Option<String>,
}

impl Metrics {
    /// Takes over the date of the last proof from the file if it is there already.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let former = std::fs::read_to_string(path).unwrap_or_default();
        let last_proof = former.lines().find_map(|line| line.strip_prefix(LAST_PROOF)?.strip_prefix(' '));
        let last_proof = last_proof.map(str::to_owned);
        let mut this = Self { path: path.to_owned(), written: Instant::now(), last: None, last_proof };
        let written = this.write(None, 0);
        written.map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot write the metrics file {}: {error}", path.display()))
        })?;
        Ok(this)
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        self.last = Some(progress.clone());
        if self.written.elapsed() >= INTERVAL {
            self.try_write(None, progress.bad);
        }
    }

    /// Writes the final numbers.
    pub(crate) fn finish(&mut self, report: Option<&Report>, exit: Exit) {
        let proof = report.filter(|report| report.is_proven()).and_then(Report::proof);
        if let Some(proof) = proof {
            let since_1970 = proof.moment.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.last_proof = Some(since_1970.as_secs().to_string());
        }
        let seen = self.last.as_ref().map_or(0, |progress| progress.bad);
        let bad = report.map_or(seen, |report| report.problems().len() as u64 + report.problems_omitted());
        self.try_write(Some(exit), bad);
    }

    /// The work is worth more than its metrics: it goes on without.
    fn try_write(&mut self, exit: Option<Exit>, bad: u64) {
        if let Err(error) = self.write(exit, bad) {
            tracing::warn!(%error, path = %self.path.display(), "the metrics file cannot be written");
        }
    }

    fn write(&mut self, exit: Option<Exit>, bad: u64) -> std::io::Result<()> {
        self.written = Instant::now();
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // Collectors read `*.prom`.
        let temporary = self.path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let written = std::fs::write(&temporary, self.text(exit, bad));
        let written = written.and_then(|()| std::fs::rename(&temporary, &self.path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    fn text(&self, exit: Option<Exit>, bad: u64) -> String {
        let mut text = Text(String::new());
        let last = self.last.as_ref();
        let is_over = exit.is_some();
        text.gauge("running", "Whether the process is at work.", u64::from(!is_over));
        if let Some(exit) = exit {
            text.gauge("exit_code", "How the process ended.", exit as u64);
        }
        let pass = last.map_or(0, |progress| progress.pass.into());
        text.gauge("pass", "The walk over the tables, counted from 1.", pass);
        let is_proving = last.is_some_and(|progress| progress.is_proving && !is_over);
        text.gauge("proving", "Whether everything is read once more, for the proof.", is_proving.into());
        let waits = last.is_some_and(|progress| progress.waits_for.is_some() && !is_over);
        text.gauge("waiting", "Whether the process waits; why is in its progress.", waits.into());
        let (read, rewritten) = last.map_or((0, 0), |progress| (progress.rows_read, progress.rewritten));
        text.counter("rows_read_total", "Rows read, in all passes and for the proof.", read);
        text.counter("values_rewritten_total", "Values written anew under the primary key.", rewritten);
        text.gauge("bad_values", "Values that are not under the primary key and could not be brought there.", bad);
        let tables = || last.into_iter().flat_map(|progress| &progress.tables);
        let rows = tables().map(|table| (table.table.as_str(), table.rows));
        text.per_table("table_rows", "Rows read in this pass.", rows);
        let estimated = tables().filter_map(|table| Some((table.table.as_str(), table.rows_estimated?)));
        text.per_table("table_rows_estimated", "Rows, as far as the database can estimate them.", estimated);
        if let Some(seconds) = &self.last_proof {
            let help = "When it was proven last that every value is under the primary key.";
            text.head("last_proof_timestamp_seconds", help, "gauge");
            let _ = writeln!(text.0, "{LAST_PROOF} {seconds}");
        }
        text.0
    }
}

struct Text(String);

// Writing to a text cannot fail.
impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.0, "diesel_encrypted_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        let _ = writeln!(self.0, "diesel_encrypted_{name} {value}");
    }

    fn per_table<'a>(&mut self, name: &str, help: &str, tables: impl Iterator<Item = (&'a str, u64)>) {
        let mut tables = tables.peekable();
        if tables.peek().is_some() {
            self.head(name, help, "gauge");
        }
        for (table, value) in tables {
            let table = table.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(self.0, "diesel_encrypted_{name}{{table=\"{table}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP diesel_encrypted_{name} {help}\n# TYPE diesel_encrypted_{name} {kind}");
    }
}
