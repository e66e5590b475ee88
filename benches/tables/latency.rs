//! The latency of an application's transactions on hot rows, with and without the task.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use diesel::result::{Error, QueryResult};
use diesel_encrypted::reencrypt::StopHandle;

use crate::database::{Connections, Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, quantile, rate, rows, setting};
use crate::people::{Keys, USUAL};
use crate::task::task;

/// The rows that the application uses. They are spread over the table, so that every batch of the task meets some.
const HOT: usize = 1000;
/// The time between two transactions of a thread.
const PAUSE: Duration = Duration::from_millis(1);

/// The kinds of transactions. Each thread runs them in turn.
const KINDS: [(&str, Transaction); 3] =
    [("SELECT", Transaction::Select), ("UPDATE", Transaction::Update), ("UPDATE of two rows", Transaction::UpdateTwo)];

#[derive(Clone, Copy)]
enum Transaction {
    Select,
    Update,
    /// The second row has the lower key: this is the opposite order to the task.
    UpdateTwo,
}

#[derive(Default)]
struct Application {
    /// The times of each kind of transaction.
    times: [Vec<Duration>; KINDS.len()],
    deadlocks: usize,
    timeouts: usize,
}

/// The state that the threads of a window share.
struct Window<'a> {
    keys: &'a Keys,
    rows: usize,
    primary: AtomicUsize,
    is_over: AtomicBool,
    /// The number of rows that the task rewrote.
    rewritten: AtomicU64,
}

pub(crate) fn measure<D: Database>(url: &str) {
    let (rows, workers) = (rows(20_000).max(2 * HOT), setting("WORKERS", 2));
    let (windows, seconds) = (setting("WINDOWS", 4), setting("WINDOW", 5.0));
    let connections = connect::<D>(url, 2 * workers + 2);
    let applications = connect::<D>(url, D::WRITERS);
    let keys = Keys::generate();
    {
        let conn = &mut *connections.get().unwrap();
        create(conn, "");
        fill(conn, rows, USUAL, &keys.keyring(0));
        println!("\n{}: {}", D::NAME, conn.settings());
    }
    let (mut alone, mut beside, mut rewritten) = (Application::default(), Application::default(), 0);
    let mut window = Window {
        keys: &keys,
        rows,
        primary: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        rewritten: AtomicU64::new(0),
    };
    for number in 0..2 * windows {
        connections.get().unwrap().settle();
        let with_task = number % 2 == 1;
        let seen = window.run(&applications, with_task.then_some(&connections), workers, seconds);
        if with_task {
            beside.add(seen)
        } else {
            alone.add(seen)
        }
        rewritten += window.rewritten.swap(0, Relaxed);
        window.is_over = AtomicBool::new(false);
    }
    drop_table(&mut *connections.get().unwrap());

    let title = format!(
        "{}: milliseconds per transaction in {windows} windows of {seconds} s; rows: {}, hot rows: {}, threads of the \
         application: {}, workers of the task: {workers}",
        D::NAME,
        count(rows),
        count(HOT),
        D::WRITERS
    );
    let table = Table::new(title, &["transaction", "with the task", "number", "p50", "p99", "longest"]);
    for (index, (name, _)) in KINDS.iter().enumerate() {
        for (state, seen) in [("no", &mut alone), ("yes", &mut beside)] {
            let times = &mut seen.times[index];
            let number = count(times.len());
            let [half, most, all] =
                [0.5, 0.99, 1.0].map(|share| format!("{:.2}", 1000.0 * quantile(times, share).as_secs_f64()));
            table.row([(*name).into(), state.into(), number, half, most, all]);
        }
    }
    println!();
    for (state, seen) in [("without the task", &alone), ("with the task", &beside)] {
        println!("{state}: {} deadlock victims, {} lock timeouts", seen.deadlocks, seen.timeouts);
    }
    let time = Duration::from_secs_f64(seconds * windows as f64);
    println!("the task rewrote {} rows/s in this time, including proofs", rate(rewritten as usize, time));
}

impl Window<'_> {
    fn run<D: Database>(
        &self,
        applications: &Connections<D>,
        task: Option<&Connections<D>>,
        workers: usize,
        seconds: f64,
    ) -> Application {
        let stop = StopHandle::default();
        let mut sum = Application::default();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..D::WRITERS)
                .map(|number| {
                    let mut conn = applications.get().unwrap();
                    conn.batch_execute(D::APPLICATION).unwrap();
                    scope.spawn(move || self.use_rows(&mut *conn, number))
                })
                .collect();
            if let Some(connections) = task {
                let stop = stop.clone();
                scope.spawn(move || self.rotate(connections, workers, &stop));
            }
            thread::sleep(Duration::from_secs_f64(seconds));
            self.is_over.store(true, Relaxed);
            stop.stop();
            threads.into_iter().for_each(|thread| sum.add(thread.join().unwrap()));
        });
        sum
    }

    /// Runs one rotation after the other. The application writes under the new key before the task begins.
    fn rotate<D: Database>(&self, connections: &Connections<D>, workers: usize, stop: &StopHandle) {
        while !self.is_over.load(Relaxed) {
            let primary = 1 - self.primary.load(Relaxed);
            self.primary.store(primary, Relaxed);
            let report = task(&self.keys.keyring(primary), workers).stop_handle(stop.clone()).run(connections);
            let rewritten: u64 = report.unwrap().columns().iter().map(|column| column.rewritten).sum();
            self.rewritten.fetch_add(rewritten / 2, Relaxed);
        }
    }

    /// The work of one thread of the application.
    fn use_rows<D: Database>(&self, conn: &mut D, number: usize) -> Application {
        let mut seen = Application::default();
        let mut random = number as u64;
        for turn in 0.. {
            if self.is_over.load(Relaxed) {
                break;
            }
            let kind = turn % KINDS.len();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (1 + (random >> 33) as usize % HOT * (self.rows / HOT)) as i64;
            let started = Instant::now();
            let result = self.transact(conn, KINDS[kind].1, key);
            seen.times[kind].push(started.elapsed());
            seen.check(result);
            thread::sleep(PAUSE);
        }
        seen
    }

    fn transact<D: Database>(&self, conn: &mut D, transaction: Transaction, key: i64) -> QueryResult<()> {
        let token = || self.keys.keyring(self.primary.load(Relaxed)).encrypt(b"somebody@example.org");
        let first = 1;
        match transaction {
            Transaction::Select => conn.row(key).map(drop),
            Transaction::Update => conn.set_email(key, &token()).map(drop),
            Transaction::UpdateTwo => conn.transaction(|conn| {
                conn.set_email(key, &token())?;
                conn.set_email(first.max(key - (self.rows / HOT) as i64), &token()).map(drop)
            }),
        }
    }
}

impl Application {
    fn check(&mut self, result: QueryResult<()>) {
        match result {
            Ok(()) => {}
            Err(Error::DatabaseError(_, info)) => match info.message() {
                text if text.to_lowercase().contains("deadlock") => self.deadlocks += 1,
                text if text.contains("lock timeout") || text.contains("Lock wait") || text.contains("locked") => {
                    self.timeouts += 1;
                }
                text => panic!("{text}"),
            },
            Err(error) => panic!("{error}"),
        }
    }

    fn add(&mut self, other: Self) {
        self.times.iter_mut().zip(other.times).for_each(|(times, other)| times.extend(other));
        self.deadlocks += other.deadlocks;
        self.timeouts += other.timeouts;
    }
}
