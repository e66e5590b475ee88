//! What people see while the task runs: a bar per table on a terminal, a line every ten seconds elsewhere, JSON for
//! programs.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diesel_encrypted::reencrypt::Progress;
use indicatif::{HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::notes;
use crate::remedy::waits_for;

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long the task has to have waited before a line of its own says so.
const PATIENCE: Duration = Duration::from_secs(1);
/// The share of the rows before which an estimate of the time left would be a guess.
const ESTIMATE_FROM: f64 = 0.01;

pub(crate) struct ProgressDisplay {
    verb: String,
    form: Form,
    /// The pass that is being walked, whether it is the reading for the proof, and when it began.
    pass: (u32, bool, Duration),
    printed: Instant,
    /// The kind of reason for which the task waits, and since when.
    waits_for: Option<(String, Instant)>,
    /// When a line was printed before its time, for each kind of reason.
    told: BTreeMap<String, Instant>,
}

enum Form {
    Bars(Bars),
    Lines,
    Json,
}

impl ProgressDisplay {
    pub(crate) fn new(verb: String, json: bool) -> Self {
        let form = match () {
            () if json => Form::Json,
            () if std::io::stderr().is_terminal() => Form::Bars(Bars::new()),
            () => Form::Lines,
        };
        Self {
            verb,
            form,
            pass: (0, false, Duration::ZERO),
            printed: Instant::now(),
            waits_for: None,
            told: BTreeMap::new(),
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        let (pass, is_proving, _) = self.pass;
        let is_new = (progress.pass, progress.is_proving) != (pass, is_proving);
        if is_new {
            self.pass = (progress.pass, progress.is_proving, progress.elapsed);
        }
        if let Form::Bars(bars) = &mut self.form {
            let line = line(&self.verb, progress, self.pass.2);
            return bars.show(progress, line);
        }
        let is_json = matches!(self.form, Form::Json);
        if is_new && is_json {
            let seconds = progress.elapsed.as_secs_f64();
            notes::emit("pass", &PassEvent { pass: progress.pass, is_proving: progress.is_proving, seconds });
        }
        if !self.is_time(progress) {
            return;
        }
        self.printed = Instant::now();
        match is_json {
            true => notes::emit("progress", &ProgressEvent::new(progress)),
            false => eprintln!("{}", line(&self.verb, progress, self.pass.2)),
        }
    }

    pub(crate) fn finish(&self) {
        if let Form::Bars(bars) = &self.form {
            bars.finish();
        }
    }

    /// Whether it is time for a line: at intervals, and soon after the task has begun to wait for something else. That
    /// not more often for each reason: a limit may let it wait again and again.
    fn is_time(&mut self, progress: &Progress) -> bool {
        let reason = waits_for(progress).map(kind);
        if reason != self.waits_for.as_ref().map(|(reason, _)| reason.clone()) {
            self.waits_for = reason.map(|reason| (reason, Instant::now()));
        }
        if let Some((reason, since)) = &self.waits_for {
            let was_told = self.told.get(reason).is_some_and(|told| told.elapsed() < INTERVAL);
            if !was_told && since.elapsed() >= PATIENCE {
                self.told.insert(reason.clone(), Instant::now());
                return true;
            }
        }
        self.printed.elapsed() >= INTERVAL
    }
}

/// A reason without its numbers, which may be others at every look.
fn kind(reason: &str) -> String {
    reason.chars().filter(|character| !character.is_ascii_digit()).collect()
}

/// A bar for each table, as soon as it is read, and a line below.
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
            bar.set_message(format!("{}: {}", table.table, rows(table.rows, table.rows_estimated)));
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
    // Invariant: the templates are constants, and valid.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

fn line(verb: &str, progress: &Progress, began: Duration) -> String {
    let mut line = match progress.is_proving {
        true => format!("reading {} for the proof: ", progress.table),
        false => format!("{verb} {}, pass {}: ", progress.table, progress.pass.max(1)),
    };
    let seconds = progress.elapsed.saturating_sub(began).as_secs_f64();
    let rate = progress.rows as f64 / seconds.max(0.001);
    line += &rows(progress.rows, progress.rows_estimated);
    line += &format!(" rows, {} rewritten, {} rows/s", HumanCount(progress.rewritten), HumanCount(rate as u64));
    if progress.bad > 0 {
        line += &format!(", {} bad", HumanCount(progress.bad));
    }
    match (waits_for(progress), time_left(progress, rate)) {
        (Some(reason), _) => line += &format!(", waiting: {reason}"),
        (None, Some(left)) => line += &format!(", {} left", HumanDuration(left)),
        (None, None) => {}
    }
    line
}

fn rows(rows: u64, estimated: Option<u64>) -> String {
    match estimated {
        Some(estimated) => format!("{} of ~{}", HumanCount(rows), HumanCount(estimated)),
        None => HumanCount(rows).to_string(),
    }
}

fn time_left(progress: &Progress, rate: f64) -> Option<Duration> {
    let (rows, estimated) = (progress.rows as f64, progress.rows_estimated? as f64);
    let is_known = rate > 0.0 && rows >= ESTIMATE_FROM * estimated && rows <= estimated;
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
            rows_estimated: progress.rows_estimated,
            rewritten: progress.rewritten,
            bad: progress.bad,
            waits_for: waits_for(progress),
            seconds: progress.elapsed.as_secs_f64(),
        }
    }
}
