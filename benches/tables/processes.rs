//! Processes that share the work on one table.

use std::time::Duration;

use diesel_encrypted::reencrypt::state_tables;

use crate::database::{Connections, Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, median, rate, ratio, rows, setting, time};
use crate::people::{Keys, USUAL};
use crate::program;

struct Candidate {
    processes: usize,
    /// The number of workers in each process.
    workers: usize,
    times: Vec<Duration>,
    /// The number of values that each process wrote in the last turn.
    written: Vec<String>,
}

pub(crate) fn measure<D: Database>(url: &str) {
    let (rows, runs) = (rows(100_000), setting("RUNS", 5));
    let connections = connect::<D>(url, 1);
    let keys = Keys::generate();
    {
        let conn = &mut *connections.get().unwrap();
        create(conn, "");
        fill(conn, rows, USUAL, &keys.keyring(0));
        // Without these tables, processes would not share the work on SQLite.
        state_tables::<D::Backend>().create.iter().for_each(|statement| conn.batch_execute(statement).unwrap());
        println!("\n{}: {}", D::NAME, conn.settings());
    }
    let mut candidates = [(1, 1), (1, 2), (2, 1)].map(|(processes, workers)| Candidate {
        processes,
        workers,
        times: Vec::new(),
        written: Vec::new(),
    });
    let mut primary = 0;
    for round in 0..runs {
        for turn in 0..candidates.len() {
            primary = 1 - primary;
            let turn = (round + turn) % candidates.len();
            candidates[turn].take_turn(&connections, url, &keys.setting(primary));
        }
    }
    {
        let conn = &mut *connections.get().unwrap();
        drop_table(conn);
        state_tables::<D::Backend>().drop.iter().for_each(|statement| conn.batch_execute(statement).unwrap());
    }

    let title = format!("{}: re-encrypting {} rows, including the proof, median of {runs}", D::NAME, count(rows));
    let table =
        Table::new(title, &["processes × workers", "rows/s", "÷ 1 × 1", "values written by each process, last run"]);
    let one = median(&mut candidates[0].times);
    for Candidate { processes, workers, times, written } in &mut candidates {
        let time = median(times);
        let faster = ratio(one.as_secs_f64() / time.as_secs_f64());
        table.row([format!("{processes} × {workers}"), rate(rows, time), faster, written.join(" + ")]);
    }
}

impl Candidate {
    /// The time includes the start of the processes.
    fn take_turn<D: Database>(&mut self, connections: &Connections<D>, url: &str, keys: &str) {
        connections.get().unwrap().settle();
        let mut outputs = Vec::new();
        self.times.push(time(|| {
            let started: Vec<_> = (0..self.processes).map(|_| program::reencrypt(url, keys, self.workers)).collect();
            outputs.extend(started.into_iter().map(|process| process.wait_with_output().unwrap()));
        }));
        self.written = outputs.iter().map(|output| count(program::rewritten(output) as usize)).collect();
    }
}
