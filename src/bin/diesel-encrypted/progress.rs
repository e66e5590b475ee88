//! What people see while the task runs: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diesel_encrypted::reencrypt::Progress;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);
/// The share of the rows before which an estimate of the time left would be a guess.
const ESTIMATE_FROM: f64 = 0.01;

pub(crate) struct ProgressDisplay {
    verb: &'static str,
    bar: Option<ProgressBar>,
    printed: Instant,
    /// The pass that is being walked, and when it began.
    pass: (u32, Duration),
}

impl ProgressDisplay {
    pub(crate) fn new(verb: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            // Invariant: the template is a constant, and valid.
            if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:30}] {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { verb, bar, printed: Instant::now(), pass: (0, Duration::ZERO) }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        if progress.pass != self.pass.0 {
            self.pass = (progress.pass, progress.elapsed);
        }
        match &self.bar {
            Some(bar) => {
                if let Some(rows) = progress.rows_estimated {
                    bar.set_length(rows.max(progress.rows));
                }
                bar.set_position(progress.rows);
                bar.set_message(self.line(progress));
            }
            None if self.printed.elapsed() >= INTERVAL => {
                eprintln!("{}", self.line(progress));
                self.printed = Instant::now();
            }
            None => {}
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, progress: &Progress) -> String {
        let mut line =
            format!("{} {}, pass {}: {}", self.verb, progress.table, progress.pass, HumanCount(progress.rows));
        if let Some(estimated) = progress.rows_estimated {
            line += &format!(" of ~{}", HumanCount(estimated));
        }
        let seconds = progress.elapsed.saturating_sub(self.pass.1).as_secs_f64();
        let rate = progress.rows as f64 / seconds.max(0.001);
        line += &format!(" rows, {} rewritten, {} rows/s", HumanCount(progress.rewritten), HumanCount(rate as u64));
        if progress.bad > 0 {
            line += &format!(", {} bad", HumanCount(progress.bad));
        }
        if let Some(reason) = &progress.waiting {
            return line + &format!(", waiting: {reason}");
        }
        if let Some(left) = time_left(progress, rate) {
            line += &format!(", {} left", HumanDuration(left));
        }
        line
    }
}

fn time_left(progress: &Progress, rate: f64) -> Option<Duration> {
    let (rows, estimated) = (progress.rows as f64, progress.rows_estimated? as f64);
    let is_known = rate > 0.0 && rows >= ESTIMATE_FROM * estimated && rows <= estimated;
    is_known.then(|| Duration::from_secs_f64((estimated - rows) / rate))
}
