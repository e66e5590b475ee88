//! `--metrics-file`: a text file for Prometheus, as the textfile collector of its node exporter reads it.
//!
//! The file is replaced every ten seconds and at the end. Each version is written to a temporary file and renamed, so
//! that nobody reads half of it. The numbers are about this process.
//!
//! | metric | type | |
//! |---|---|---|
//! | `diesel_encrypted_running` | gauge | 1 while the process runs, 0 when it has ended |
//! | `diesel_encrypted_exit_code` | gauge | the exit code; only when the process has ended |
//! | `diesel_encrypted_pass` | gauge | the current or last pass over the tables, counted from 1 |
//! | `diesel_encrypted_proving` | gauge | 1 while the process reads everything for the proof |
//! | `diesel_encrypted_waiting` | gauge | 1 while the process waits: paused, for other processes, or for open transactions. Its progress shows why |
//! | `diesel_encrypted_rows_read_total` | counter | rows read, in all passes and for the proof |
//! | `diesel_encrypted_values_rewritten_total` | counter | values that the job has rewritten |
//! | `diesel_encrypted_bad_values` | gauge | values found in this pass that the job cannot change; at the end, all problems of the report |
//! | `diesel_encrypted_table_rows` | gauge | per table: rows read in this pass |
//! | `diesel_encrypted_table_rows_estimated` | gauge | per table: rows, if the database can estimate them |
//! | `diesel_encrypted_last_proof_timestamp_seconds` | gauge | the time of the last proof, by any run that wrote this file |

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use diesel_encrypted::reencrypt::{Progress, Report};

use crate::exit::{Exit, Failure};

/// The time between two writes.
const INTERVAL: Duration = Duration::from_secs(10);
/// The most bytes to read of a former file.
const LARGEST: u64 = 1 << 20;
const LAST_PROOF: &str = "diesel_encrypted_last_proof_timestamp_seconds";

pub(crate) struct Metrics {
    path: PathBuf,
    written: Instant,
    last: Option<Progress>,
    /// Seconds since 1970, as in the file.
    last_proof: Option<u64>,
}

impl Metrics {
    /// Writes the first version of the file. It keeps the time of the last proof from the former file.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let last_proof = last_proof(path);
        let mut metrics = Self { path: path.to_owned(), written: Instant::now(), last: None, last_proof };
        match metrics.write(None, 0) {
            Ok(()) => Ok(metrics),
            Err(error) => {
                let path = path.display();
                Err(Failure::usage(format!("cannot write the metrics file {path}: {error}. Check --metrics-file.")))
            }
        }
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
            self.last_proof = Some(since_1970.as_secs());
        }
        let seen = self.last.as_ref().map_or(0, |progress| progress.bad);
        let bad = report.map_or(seen, |report| report.problems().len() as u64 + report.problems_omitted());
        self.try_write(Some(exit), bad);
    }

    /// Writes the file if possible. The job is worth more than its metrics, so it continues without them.
    fn try_write(&mut self, exit: Option<Exit>, bad: u64) {
        if let Err(error) = self.write(exit, bad) {
            let path = self.path.display();
            tracing::warn!(%error, %path, "cannot write the metrics file; the job continues without it");
        }
    }

    fn write(&mut self, exit: Option<Exit>, bad: u64) -> std::io::Result<()> {
        self.written = Instant::now();
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut random = [0; 8];
        getrandom::getrandom(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
        let random = u64::from_ne_bytes(random);
        // A collector would read a name that ends in `.prom`.
        let temporary = self.path.with_file_name(format!(".{name}.{random:016x}.tmp"));
        // Others may write to the folder, too: a name that exists, such as a link, is never followed.
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        let written = file.write_all(self.text(exit, bad).as_bytes());
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
        text.gauge("running", "1 while the process runs, 0 when it has ended.", u64::from(!is_over));
        if let Some(exit) = exit {
            text.gauge("exit_code", "The exit code of the process.", exit as u64);
        }
        let pass = last.map_or(0, |progress| progress.pass.into());
        text.gauge("pass", "The current or last pass over the tables, counted from 1.", pass);
        let is_proving = last.is_some_and(|progress| progress.is_proving && !is_over);
        text.gauge("proving", "1 while the process reads everything for the proof.", is_proving.into());
        let waits = last.is_some_and(|progress| progress.waits_for.is_some() && !is_over);
        text.gauge("waiting", "1 while the process waits. Its progress shows why.", waits.into());
        let read = last.map_or(0, |progress| progress.rows_read);
        let rewritten = last.map_or(0, |progress| progress.rewritten);
        text.counter("rows_read_total", "Rows read, in all passes and for the proof.", read);
        text.counter("values_rewritten_total", "Values that the job has rewritten.", rewritten);
        text.gauge(
            "bad_values",
            "Values found in this pass that the job cannot change; at the end, all problems of the report.",
            bad,
        );
        let tables = || last.into_iter().flat_map(|progress| &progress.tables);
        let rows = tables().map(|table| (table.table.as_str(), table.rows));
        text.per_table("table_rows", "Rows read in this pass.", rows);
        let estimated = tables().filter_map(|table| Some((table.table.as_str(), table.rows_estimated?)));
        text.per_table("table_rows_estimated", "Rows of the table, as the database estimates them.", estimated);
        if let Some(seconds) = self.last_proof {
            let help = "The time of the last proof.";
            text.head("last_proof_timestamp_seconds", help, "gauge");
            let _ = writeln!(text.0, "{LAST_PROOF} {seconds}");
        }
        text.0
    }
}

/// The time of the last proof in a former file. Anything but a file, such as a pipe or a link, is not read.
fn last_proof(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().filter(|metadata| metadata.is_file())?;
    let mut former = String::new();
    File::open(path).ok()?.take(LARGEST).read_to_string(&mut former).ok()?;
    former.lines().find_map(|line| line.strip_prefix(LAST_PROOF)?.strip_prefix(' '))?.parse().ok()
}

struct Text(String);

// Writing to a `String` cannot fail.
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
            let label = table.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(self.0, "diesel_encrypted_{name}{{table=\"{label}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP diesel_encrypted_{name} {help}\n# TYPE diesel_encrypted_{name} {kind}");
    }
}
