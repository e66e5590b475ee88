//! Progress while a command runs: a bar per table on a terminal, a line every ten seconds elsewhere, or JSON.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diesel_encrypted::printable;
use diesel_encrypted::reencrypt::Progress;
use indicatif::{HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::notes;
use crate::remedy::waits_for;
use crate::summary::{Pace, Summary};

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a wait has to last before it gets a line of its own.
const PATIENCE: Duration = Duration::from_secs(1);
/// The share of rows to read before the remaining time is estimated.
const ESTIMATE_FROM: f64 = 0.01;

pub(crate) struct ProgressDisplay {
    verb: String,
    /// What happens to a value that is written; `None` if none is.
    written: Option<&'static str>,
    form: Form,
    pass: Pass,
    /// Of all passes, and the last progress.
    total: Pace,
    last: Option<Progress>,
    printed: Instant,
    wait: Option<Wait>,
    /// When a line was last printed early, for each kind of reason.
    early_lines: BTreeMap<String, Instant>,
}

/// The current pass, or the proof.
#[derive(Default)]
struct Pass {
    number: u32,
    is_proving: bool,
    pace: Pace,
}

/// What the task waits for.
struct Wait {
    kind: String,
    since: Instant,
}

enum Form {
    /// `--quiet`
    None,
    Bars(Bars),
    Lines,
    Json,
}

impl ProgressDisplay {
    pub(crate) fn new(verb: String, written: Option<&'static str>, json: bool) -> Self {
        let form = if notes::is_quiet() {
            Form::None
        } else if json {
            Form::Json
        } else if std::io::stderr().is_terminal() {
            Form::Bars(Bars::new())
        } else {
            Form::Lines
        };
        Self {
            verb,
            written,
            form,
            pass: Pass::default(),
            total: Pace::default(),
            last: None,
            printed: Instant::now(),
            wait: None,
            early_lines: BTreeMap::new(),
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        let is_new = progress.pass != self.pass.number || progress.is_proving != self.pass.is_proving;
        if is_new {
            self.pass = Pass { number: progress.pass, is_proving: progress.is_proving, pace: Pace::default() };
        }
        self.pass.pace.note(progress.rows, progress.elapsed, progress.is_halted());
        self.total.note(progress.rows_read, progress.elapsed, progress.is_halted());
        self.last = Some(progress.clone());
        let line = self.line(progress);
        if let Form::Bars(bars) = &mut self.form {
            return bars.show(progress, line);
        }
        let is_json = matches!(self.form, Form::Json);
        if matches!(self.form, Form::None) {
            return;
        }
        if is_new && is_json {
            let seconds = progress.elapsed.as_secs_f64();
            notes::emit("pass", &PassEvent { pass: progress.pass, is_proving: progress.is_proving, seconds });
        }
        if !self.is_time(progress) {
            return;
        }
        self.printed = Instant::now();
        if is_json {
            notes::emit("progress", &ProgressEvent::new(progress));
        } else {
            eprintln!("{line}");
        }
    }

    /// Removes the bars. Returns the summary.
    pub(crate) fn finish(self) -> Summary {
        if let Form::Bars(bars) = &self.form {
            bars.finish();
        }
        Summary::new(self.total, self.last.as_ref())
    }

    /// Whether it is time for a line: at intervals, and early if the task begins to wait for another reason. A limit
    /// may make it wait again and again, so there is at most one early line per interval for each kind of reason.
    fn is_time(&mut self, progress: &Progress) -> bool {
        let kind = waits_for(progress).map(kind);
        if kind.as_ref() != self.wait.as_ref().map(|wait| &wait.kind) {
            self.wait = kind.map(|kind| Wait { kind, since: Instant::now() });
        }
        if let Some(Wait { kind, since }) = &self.wait {
            let is_known = self.early_lines.get(kind).is_some_and(|printed| printed.elapsed() < INTERVAL);
            if !is_known && since.elapsed() >= PATIENCE {
                self.early_lines.insert(kind.clone(), Instant::now());
                return true;
            }
        }
        self.printed.elapsed() >= INTERVAL
    }

    fn line(&self, progress: &Progress) -> String {
        let rate = self.pass.pace.rate();
        let table = printable(&progress.table);
        let mut line = if progress.is_proving {
            format!("reading {table} for the proof: ")
        } else {
            format!("{} {table}, pass {}: ", self.verb, progress.pass.max(1))
        };
        line += &rows(progress.rows_before + progress.rows, progress.rows_estimated);
        line += " rows";
        if progress.rows_before > 0 {
            line += &format!(" ({} of them before)", HumanCount(progress.rows_before));
        }
        if let Some(written) = self.written {
            line += &format!(", {} {written}", HumanCount(progress.rewritten));
        }
        line += &format!(", {} rows/s", HumanCount(rate as u64));
        if progress.bad > 0 {
            let noun = if progress.bad == 1 { "problem" } else { "problems" };
            line += &format!(", {} {noun}", HumanCount(progress.bad));
        }
        if let Some(reason) = waits_for(progress) {
            line += &format!(", waiting: {}", printable(reason));
        } else if let Some(left) = time_left(progress, rate) {
            line += &format!(", {} left", HumanDuration(left));
        }
        line
    }
}

/// A reason without its numbers, which change all the time.
fn kind(reason: &str) -> String {
    reason.chars().filter(|character| !character.is_ascii_digit()).collect()
}

/// A bar for each table that has been read from, and a line below.
struct Bars {
    screen: MultiProgress,
    tables: Vec<Option<ProgressBar>>,
    line: ProgressBar,
}

impl Bars {
    fn new() -> Self {
        let screen = MultiProgress::new();
        let line = screen.add(styled(ProgressBar::no_length(), "{spinner} {msg}"));
        Self { screen, tables: Vec::new(), line }
    }

    fn show(&mut self, progress: &Progress, line: String) {
        self.tables.resize(progress.tables.len(), None);
        for (bar, table) in self.tables.iter_mut().zip(&progress.tables) {
            if bar.is_none() && table.rows == 0 {
                continue;
            }
            let bar = bar.get_or_insert_with(|| {
                let bar = styled(ProgressBar::no_length(), "  [{bar:30}] {msg}");
                self.screen.insert_before(&self.line, bar)
            });
            if let Some(rows) = table.rows_estimated {
                bar.set_length(rows.max(table.rows));
            }
            bar.set_position(table.rows);
            bar.set_message(format!("{}: {}", printable(&table.table), rows(table.rows, table.rows_estimated)));
        }
        self.line.set_message(line);
        self.line.tick();
    }

    fn finish(&self) {
        self.tables.iter().flatten().for_each(ProgressBar::finish_and_clear);
        self.line.finish_and_clear();
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // Invariant: the templates are valid constants.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

fn rows(rows: u64, estimated: Option<u64>) -> String {
    match estimated {
        Some(estimated) => format!("{} of ~{}", HumanCount(rows), HumanCount(estimated)),
        None => HumanCount(rows).to_string(),
    }
}

/// A later pass reads only what an earlier one has left, which nobody can estimate.
fn time_left(progress: &Progress, rate: f64) -> Option<Duration> {
    let rows = (progress.rows_before + progress.rows) as f64;
    let estimated = progress.rows_estimated? as f64;
    let is_whole = progress.is_proving || progress.pass <= 1;
    let is_known = is_whole && rate > 0.0 && rows >= ESTIMATE_FROM * estimated && rows <= estimated;
    is_known.then(|| Duration::from_secs_f64((estimated - rows) / rate))
}

#[derive(Serialize)]
struct PassEvent {
    pass: u32,
    is_proving: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct ProgressEvent<'a> {
    pass: u32,
    is_proving: bool,
    table: &'a str,
    rows: u64,
    rows_before: u64,
    rows_estimated: Option<u64>,
    rewritten: u64,
    bad: u64,
    waits_for: Option<&'a str>,
    seconds: f64,
}

impl<'a> ProgressEvent<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self {
            pass: progress.pass,
            is_proving: progress.is_proving,
            table: &progress.table,
            rows: progress.rows,
            rows_before: progress.rows_before,
            rows_estimated: progress.rows_estimated,
            rewritten: progress.rewritten,
            bad: progress.bad,
            waits_for: waits_for(progress),
            seconds: progress.elapsed.as_secs_f64(),
        }
    }
}
