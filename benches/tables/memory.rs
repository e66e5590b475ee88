//! The peak memory of the program for tables of different sizes.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::database::{Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, list, mebibytes, rate, setting};
use crate::people::{Keys, SHORT};
use crate::program;

/// How often to read the figure. The system forgets it when the process ends.
const INTERVAL: Duration = Duration::from_millis(10);

pub(crate) fn measure<D: Database>(url: &str) {
    let workers = setting("WORKERS", 1);
    let keys = Keys::generate();
    let title = format!("{}: peak resident memory of the program, workers: {workers}", D::NAME);
    let table = Table::new(title, &["rows", "MiB", "rows/s, including the proof"]);
    for size in list("SIZES", "1000000") {
        let connections = connect::<D>(url, 1);
        create(&mut *connections.get().unwrap(), "");
        fill(&mut *connections.get().unwrap(), size, SHORT, &keys.keyring(0));
        connections.get().unwrap().settle();
        let started = Instant::now();
        let mut program = program::reencrypt(url, &keys.setting(1), workers);
        let peak = peak(&mut program);
        let time = started.elapsed();
        assert_eq!(program::rewritten(&program.wait_with_output().unwrap()), 2 * size as u64);
        let peak = peak.map_or_else(|| "not known on this system".into(), mebibytes);
        table.row([count(size), peak, rate(size, time)]);
        drop_table(&mut *connections.get().unwrap());
    }
}

/// Waits for the end of the process. Returns its peak memory in bytes, from the `VmHWM` of Linux.
fn peak(program: &mut Child) -> Option<u64> {
    let path = format!("/proc/{}/status", program.id());
    let mut peak = None;
    while program.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = kibibytes.map(|kibibytes| kibibytes * 1024).or(peak);
        thread::sleep(INTERVAL);
    }
    peak
}
