//! Settings, medians, and the tables that print the figures.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, Instant};

use indicatif::HumanCount;

/// A number from the environment.
pub(crate) fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |value| parse(name, &value))
}

/// A list from the environment, separated by commas.
pub(crate) fn list<T: FromStr>(name: &str, default: &str) -> Vec<T> {
    let values = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    values.split(',').map(|value| parse(name, value)).collect()
}

fn parse<T: FromStr>(name: &str, value: &str) -> T {
    value.parse().unwrap_or_else(|_| panic!("{name} cannot have the value {value}"))
}

/// The number of rows, rounded up to a multiple of every batch and of every writer's share.
pub(crate) fn rows(default: usize) -> usize {
    setting("ROWS", default).max(1).next_multiple_of(2000)
}

pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The quantile at `share`, from 0 to 1; 0.5 is the median.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    times[(share * (times.len() - 1) as f64).round() as usize]
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    quantile(times, 0.5)
}

/// Rows per second, with three significant digits.
pub(crate) fn rate(rows: usize, time: Duration) -> String {
    let rate = rows as f64 / time.as_secs_f64();
    let unit = 10_f64.powf((rate.log10().floor() - 2.0).max(0.0));
    HumanCount(((rate / unit).round() * unit) as u64).to_string()
}

pub(crate) fn count(count: usize) -> String {
    HumanCount(count as u64).to_string()
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1 << 20) as f64)
}

/// `+12 %`
pub(crate) fn growth(before: u64, after: u64) -> String {
    format!("{:+.0} %", 100.0 * (after as f64 / before as f64 - 1.0))
}

pub(crate) fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// A Markdown table that is printed row by row as the figures come in.
pub(crate) struct Table;

impl Table {
    pub(crate) fn new(title: impl Display, head: &[&str]) -> Self {
        println!("\n{title}\n");
        println!("| {} |", head.join(" | "));
        println!("|---{}|", "|---:".repeat(head.len() - 1));
        Self
    }

    pub(crate) fn row<const CELLS: usize>(&self, cells: [String; CELLS]) {
        println!("| {} |", cells.join(" | "));
    }
}
