//! What a command has read, and how fast.

use std::time::Duration;

use diesel_encrypted::reencrypt::Progress;
use indicatif::HumanCount;
use serde::Serialize;

use crate::notes;

/// A reading that took at least this long gets a summary.
const LONG: Duration = Duration::from_secs(10);

/// Counts rows and the time of the work on them. Pauses do not count.
#[derive(Default)]
pub(crate) struct Pace {
    rows: u64,
    seen: Option<(u64, Duration)>,
    worked: Duration,
}

impl Pace {
    /// Notes the rows that were read by a time of the run, and whether the run was paused since the last note.
    pub(crate) fn note(&mut self, rows: u64, elapsed: Duration, is_paused: bool) {
        let (former, since) = self.seen.replace((rows, elapsed)).unwrap_or((0, elapsed));
        let read = rows.saturating_sub(former);
        self.rows += read;
        if read > 0 || !is_paused {
            self.worked += elapsed.saturating_sub(since);
        }
    }

    /// Rows per second.
    pub(crate) fn rate(&self) -> f64 {
        self.rows as f64 / self.worked.as_secs_f64().max(0.001)
    }
}

/// What this process did. Other processes of the run have their own.
pub(crate) struct Summary {
    pace: Pace,
    rewritten: u64,
    elapsed: Duration,
}

impl Summary {
    pub(crate) fn new(pace: Pace, last: Option<&Progress>) -> Self {
        Self {
            pace,
            rewritten: last.map_or(0, |progress| progress.rewritten),
            elapsed: last.map_or(Duration::ZERO, |progress| progress.elapsed),
        }
    }

    /// Prints it if any row was read. `verb` says what happened to the values.
    pub(crate) fn print(&self, json: bool, verb: Option<&str>) {
        let Self { pace, rewritten, elapsed } = self;
        if pace.rows == 0 || notes::is_quiet() {
            return;
        }
        let paused = elapsed.saturating_sub(pace.worked);
        let rate = pace.rate() as u64;
        if json {
            let (seconds, paused_seconds) = (elapsed.as_secs_f64(), paused.as_secs_f64());
            let event =
                SummaryEvent { rows: pace.rows, rewritten: *rewritten, seconds, paused_seconds, rows_per_second: rate };
            return notes::emit("summary", &event);
        }
        let written = verb.map_or_else(String::new, |verb| format!(", {} values {verb}", HumanCount(*rewritten)));
        let waited = match paused.as_secs() {
            0 => String::new(),
            seconds => format!(", {seconds} s of them paused"),
        };
        let rows = HumanCount(pace.rows);
        let seconds = elapsed.as_secs_f64();
        let text =
            format!("this process: {rows} rows read{written} in {seconds:.1} s{waited} ({} rows/s)", HumanCount(rate));
        notes::info(json, "summary", text);
    }

    /// Prints it if the reading took long.
    pub(crate) fn print_if_long(&self, json: bool) {
        if self.elapsed >= LONG {
            self.print(json, None);
        }
    }
}

#[derive(Serialize)]
struct SummaryEvent {
    rows: u64,
    rewritten: u64,
    seconds: f64,
    paused_seconds: f64,
    rows_per_second: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut pace = Pace::default();
        let seconds = Duration::from_secs;
        pace.note(0, seconds(0), false);
        pace.note(1000, seconds(10), false);
        // Paused for an hour.
        pace.note(1000, seconds(1800), true);
        pace.note(1000, seconds(3610), true);
        pace.note(2000, seconds(3620), false);
        assert_eq!((pace.rate(), pace.worked), (100.0, seconds(20)));
        // The first note of a display may come late.
        let mut late = Pace::default();
        late.note(500, seconds(3600), false);
        assert_eq!((late.rows, late.worked), (500, Duration::ZERO));
    }
}
