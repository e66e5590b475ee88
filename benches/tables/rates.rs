//! The task compared with a hand-written batch that has the new tokens ready. One worker is compared with one such
//! writer, two workers with two.

use std::thread;
use std::time::Duration;

use crate::database::{Batch, Connections, Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, median, rate, ratio, rows, setting, time};
use crate::people::{Keys, PlainRow, USUAL};
use crate::task;

/// The numbers of workers and of writers to compare. Each writer has its own connection and its share of the table.
const SIDE_BY_SIDE: [usize; 2] = [1, 2];
/// The sizes of the hand-written batches. The faster of the two is the floor.
const BATCHES: [usize; 2] = [500, 1000];

/// A candidate that takes its turn in each round, with its times.
struct Candidate {
    writers: usize,
    by_hand: Option<usize>,
    whole: Vec<Duration>,
    rewriting: Vec<Duration>,
    proof: Vec<Duration>,
    /// The time that one thread takes to create the tokens of a hand-written batch.
    making_tokens: Vec<Duration>,
}

pub(crate) fn measure<D: Database>(url: &str) {
    let (rows, runs) = (rows(100_000), setting("RUNS", 5));
    let connections = connect::<D>(url, 6);
    let keys = Keys::generate();
    {
        let conn = &mut *connections.get().unwrap();
        create(conn, "");
        fill(conn, rows, USUAL, &keys.keyring(0));
        println!("\n{}: {}", D::NAME, conn.settings());
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for writers in SIDE_BY_SIDE {
        candidates.extend(BATCHES.map(|rows| Candidate::new(writers, Some(rows))));
        candidates.push(Candidate::new(writers, None));
    }
    // This run is not measured. It makes sure that every candidate finds a table that was rewritten before.
    let mut primary = 1;
    task::reencrypt(&connections, &keys.keyring(primary), 1, |_| {});
    for round in 0..runs {
        for turn in 0..candidates.len() {
            primary = 1 - primary;
            let turn = (round + turn) % candidates.len();
            candidates[turn].take_turn(&connections, &keys, primary);
        }
    }
    drop_table(&mut *connections.get().unwrap());

    let title = format!("{}: re-encrypting {} rows, median of {runs}", D::NAME, count(rows));
    let table = Table::new(title, &["", "rows/s", "÷ floor"]);
    for candidates in candidates.chunk_by_mut(|a, b| a.writers == b.writers) {
        let floor = candidates.iter_mut().filter(|candidate| candidate.by_hand.is_some());
        let floor = floor.map(|candidate| median(&mut candidate.whole)).min().unwrap();
        for candidate in candidates {
            candidate.print(&table, rows, floor);
        }
    }
}

impl Candidate {
    fn new(writers: usize, by_hand: Option<usize>) -> Self {
        let none = Vec::new;
        Self { writers, by_hand, whole: none(), rewriting: none(), proof: none(), making_tokens: none() }
    }

    fn take_turn<D: Database>(&mut self, connections: &Connections<D>, keys: &Keys, primary: usize) {
        let conn = &mut *connections.get().unwrap();
        conn.settle();
        let keyring = keys.keyring(primary);
        let Some(batch) = self.by_hand else {
            let run = task::reencrypt(connections, &keyring, self.writers, |_| {});
            self.whole.push(run.whole);
            self.rewriting.push(run.rewriting);
            self.proof.push(run.proof);
            return;
        };
        let old = conn.rows();
        let reseal = |token: &String| keyring.encrypt(&keyring.decrypt(token.as_bytes()).unwrap());
        let mut new = Vec::with_capacity(old.len());
        self.making_tokens.push(time(|| new.extend(old.iter().map(|row| [reseal(&row.2), reseal(&row.3)]))));
        self.whole.push(match batch {
            500 => write::<D, 500>(connections, self.writers, &old, &new),
            1000 => write::<D, 1000>(connections, self.writers, &old, &new),
            _ => unreachable!(),
        });
    }

    fn print(&mut self, table: &Table, rows: usize, floor: Duration) {
        let writers = self.writers;
        let print = |name: String, times: &mut [Duration], is_compared: bool| {
            let time = median(times);
            let ratio = if is_compared { ratio(floor.as_secs_f64() / time.as_secs_f64()) } else { String::new() };
            table.row([name, rate(rows, time), ratio]);
        };
        if let Some(batch) = self.by_hand {
            print(format!("by hand, writers: {writers}, rows per batch: {batch}"), &mut self.whole, true);
            return print("its tokens, created beforehand by one thread".into(), &mut self.making_tokens, false);
        }
        print(format!("the task, workers: {writers}, rewriting and proof"), &mut self.whole, true);
        print(format!("the task, workers: {writers}, rewriting alone"), &mut self.rewriting, true);
        print(format!("the task, workers: {writers}, proof alone"), &mut self.proof, false);
    }
}

fn write<D: Database, const ROWS: usize>(
    connections: &Connections<D>,
    writers: usize,
    old: &[PlainRow],
    new: &[[String; 2]],
) -> Duration {
    let batches = old.chunks(ROWS).zip(new.chunks(ROWS)).map(|(old, new)| Batch::<ROWS>::new(old, new));
    let mut batches: Vec<_> = batches.collect();
    let share = batches.len() / writers;
    let shares: Vec<_> =
        (0..writers).map(|_| (connections.get().unwrap(), batches.split_off(batches.len() - share))).collect();
    time(|| {
        thread::scope(|scope| {
            for (mut conn, batches) in shares {
                scope.spawn(move || {
                    for batch in batches {
                        assert_eq!(conn.swap(batch).unwrap(), ROWS);
                    }
                });
            }
        });
    })
}
