//! The throttle of the workers of one process: pauses, a rate, and niceness.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::database::StopHandle;
use crate::reencrypt::report::progress::{NICE, RATE};
use crate::reencrypt::throttle::limits::Limits;
use crate::reencrypt::throttle::pause::PauseReason;

/// A check counts up to this age.
const VALID: Duration = Duration::from_secs(10);
/// The longest wait without a heartbeat.
const SLICE: Duration = Duration::from_millis(200);

/// The place where every worker waits before and after a page. The waits end when the task stops.
pub(crate) struct Throttle {
    rows_per_second: Option<u64>,
    nice: f64,
    /// Whether a monitor reports once a second.
    has_monitor: bool,
    stop: StopHandle,
    state: Mutex<State>,
}

struct State {
    pause: Option<PauseReason>,
    checked: Option<Instant>,
    /// The processes that share the rate.
    processes: NonZeroU32,
    schedule: Schedule,
    /// Workers that wait because of the rate.
    slowed_by_rate: usize,
    /// Workers that wait because of the niceness.
    slowed_by_nice: usize,
}

impl Throttle {
    pub(crate) fn new(limits: &Limits, stop: StopHandle) -> Self {
        let state = State {
            pause: None,
            checked: None,
            processes: NonZeroU32::MIN,
            schedule: Schedule::default(),
            slowed_by_rate: 0,
            slowed_by_nice: 0,
        };
        Self {
            rows_per_second: limits.rows_per_second,
            nice: limits.nice,
            has_monitor: limits.need_a_monitor(),
            stop,
            state: Mutex::new(state),
        }
    }

    /// Pauses the workers, or lets them continue, after a check of the limits.
    pub(crate) fn set_pause(&self, reason: Option<PauseReason>) {
        let mut state = self.state();
        state.pause = reason;
        state.checked = Some(Instant::now());
        drop(state);
        self.stop.wake();
    }

    /// Sets how many processes share the rate, including this one.
    pub(crate) fn set_share(&self, processes: NonZeroU32) {
        self.state().processes = processes;
    }

    /// The most rows of a page: no more than the rate allows in a second.
    pub(crate) fn page(&self, most: usize) -> usize {
        let rate = self.rate(&self.state()).map_or(most, |rate| rate as usize);
        most.min(rate.max(1))
    }

    /// Waits after a page that began at `begun`, as long as the rate and the niceness require. Meanwhile it keeps
    /// calling `heartbeat`, and stops if that fails.
    pub(crate) fn slow_down<E>(
        &self,
        begun: Instant,
        rows: usize,
        writing: Duration,
        mut heartbeat: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        let now = Instant::now();
        let mut state = self.state();
        let rate = self.rate(&state);
        let due = rate.map_or(now, |rate| state.schedule.book(begun, rows, rate));
        let nice = now + writing.mul_f64(self.nice);
        let until = due.max(nice);
        if until <= now {
            return Ok(());
        }
        let is_nice = nice > due;
        *state.slowed(is_nice) += 1;
        drop(state);
        let mut result = Ok(());
        while Instant::now() < until && result.is_ok() && !self.stop.is_stopped() {
            let slice = until.min(Instant::now() + SLICE);
            self.stop.sleep_while(|| (Instant::now() < slice).then_some(slice));
            result = heartbeat();
        }
        *self.state().slowed(is_nice) -= 1;
        result
    }

    /// Why the task waits at the moment, in words for the operator.
    pub(crate) fn waits_for(&self) -> Option<String> {
        if let Some(reason) = self.pause_reason() {
            return Some(reason.to_string());
        }
        let state = self.state();
        match self.rows_per_second {
            Some(rows) if state.slowed_by_rate > 0 => Some(rate(rows, state.processes)),
            _ => (state.slowed_by_nice > 0).then(|| format!("{NICE}{}", self.nice)),
        }
    }

    /// Why the task must not continue now.
    pub(crate) fn pause_reason(&self) -> Option<PauseReason> {
        let state = self.state();
        let since = state.checked.map(|checked| checked.elapsed());
        match &state.pause {
            Some(reason) => Some(reason.clone()),
            None if self.has_monitor && since.is_none_or(|since| since > VALID) => {
                Some(PauseReason::Unchecked { since })
            }
            None => None,
        }
    }

    /// The share of this process.
    fn rate(&self, state: &State) -> Option<f64> {
        self.rows_per_second.map(|rows| rows as f64 / f64::from(state.processes.get()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slowed(&mut self, is_nice: bool) -> &mut usize {
        if is_nice { &mut self.slowed_by_nice } else { &mut self.slowed_by_rate }
    }
}

/// The time up to which earlier rows have used up the rate.
#[derive(Default)]
struct Schedule {
    used: Option<Instant>,
}

impl Schedule {
    /// Books rows that were taken since `begun`. Returns when the next rows may be taken. Idle time is not saved up.
    fn book(&mut self, begun: Instant, rows: usize, per_second: f64) -> Instant {
        let from = self.used.map_or(begun, |used| used.max(begun));
        let until = from + Duration::from_secs_f64(rows as f64 / per_second);
        self.used = Some(until);
        until
    }
}

/// `5,000 rows/s`
fn rate(rows: u64, processes: NonZeroU32) -> String {
    let digits = rows.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text += RATE;
    if processes.get() == 1 { text } else { format!("{text}, shared by {processes} processes") }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn throttle(limits: Limits) -> Throttle {
        Throttle::new(&limits, StopHandle::default())
    }

    #[test]
    fn the_work_is_part_of_the_time_that_the_rows_may_take() {
        let begun = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.book(begun, 500, 1000.0), begun + 500 * MILLISECOND);
        // The second page begins after the wait for the first, and is due 500 ms later.
        assert_eq!(schedule.book(begun + 500 * MILLISECOND, 500, 1000.0), begun + 1000 * MILLISECOND);
        // Idle time is not saved up for a burst.
        let later = begun + 60_000 * MILLISECOND;
        assert_eq!(schedule.book(later, 100, 1000.0), later + 100 * MILLISECOND);
    }

    #[test]
    fn workers_share_the_rate() {
        let begun = Instant::now();
        let mut schedule = Schedule::default();
        let due: Vec<_> = (0..4).map(|_| schedule.book(begun, 250, 1000.0).duration_since(begun)).collect();
        assert_eq!(due, [250, 500, 750, 1000].map(|due| due * MILLISECOND));
    }

    #[test]
    fn processes_share_the_rate() {
        let throttle = throttle(Limits { rows_per_second: Some(5000), ..Limits::default() });
        let rate = || throttle.rate(&throttle.state()).unwrap();
        assert_eq!((rate(), throttle.page(10_000)), (5000.0, 5000));
        throttle.set_share(NonZeroU32::new(4).unwrap());
        assert_eq!((rate(), throttle.page(10_000)), (1250.0, 1250));
        throttle.set_share(NonZeroU32::new(50_000).unwrap());
        assert_eq!((rate(), throttle.page(10_000)), (0.1, 1));
    }

    #[test]
    fn nothing_is_limited_by_default() {
        let throttle = throttle(Limits::default());
        let begun = Instant::now();
        throttle.slow_down(begun, usize::MAX, Duration::MAX / 2, || Err(())).unwrap();
        assert_eq!((throttle.page(10_000), throttle.waits_for()), (10_000, None));
    }

    /// Waits of an hour, for the rate and for niceness. Each is reported, and a stop ends each at once.
    #[test]
    fn a_stop_ends_every_wait() {
        let hour = Duration::from_secs(3600);
        for (limits, shown) in [
            (Limits { rows_per_second: Some(1000), ..Limits::default() }, "1,000 rows/s"),
            (Limits { nice: 1.5, ..Limits::default() }, "nice 1.5"),
        ] {
            let throttle = throttle(limits);
            thread::scope(|scope| {
                let worker = scope.spawn(|| throttle.slow_down(Instant::now(), 3_600_000, hour, || Ok::<_, ()>(())));
                while throttle.waits_for().as_deref() != Some(shown) {
                    thread::yield_now();
                }
                throttle.stop.stop();
                worker.join().unwrap().unwrap();
            });
        }
    }

    /// Without a heartbeat during a long wait, others would take the process for dead.
    #[test]
    fn a_wait_keeps_the_heartbeat() {
        let throttle = throttle(Limits { nice: 1.0, ..Limits::default() });
        let mut beats = 0;
        let hour = Duration::from_secs(3600);
        let result = throttle.slow_down(Instant::now(), 1, hour, || {
            beats += 1;
            if beats == 3 { Err("the third") } else { Ok(()) }
        });
        assert_eq!((result, throttle.waits_for()), (Err("the third"), None));
    }

    #[test]
    fn an_unknown_limit_pauses() {
        let throttle = throttle(Limits { pause_file: Some("pause".into()), ..Limits::default() });
        assert_eq!(throttle.waits_for().unwrap(), "the limits have not been checked yet");
        throttle.set_pause(Some(PauseReason::PauseFile { path: "pause".into() }));
        assert_eq!(throttle.waits_for().unwrap(), "the file pause exists");
        throttle.set_pause(None);
        assert_eq!(throttle.waits_for(), None);
        // There was no check for a while.
        throttle.state().checked = Instant::now().checked_sub(VALID + Duration::from_secs(2));
        assert_eq!(throttle.waits_for().unwrap(), "the limits have not been checked for 12 s");
    }

    #[test]
    fn numbers_for_people() {
        let shown = [1, 999, 1000, 1_234_567].map(|rows| rate(rows, NonZeroU32::MIN));
        assert_eq!(shown, ["1 rows/s", "999 rows/s", "1,000 rows/s", "1,234,567 rows/s"]);
        assert_eq!(rate(5000, NonZeroU32::new(3).unwrap()), "5,000 rows/s, shared by 3 processes");
    }
}
