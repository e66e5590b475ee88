use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_encrypted::Keyring;

use super::Growth;
use crate::database::{Database, connect};
use crate::fill::{create, drop_table, fill};
use crate::measure::{Table, count, growth, list, mebibytes, rate, rows, time};
use crate::people::{Keys, USUAL};
use crate::task::{self, Run};

/// Secondary indexes. None of them is on an encrypted column.
const INDEXES: [&str; 3] = ["(name)", "(lower(name))", "(name, id)"];
/// `Vacuum::Often` vacuums each time that another twentieth of the rows is rewritten.
const SHARE: u64 = 20;
/// The longest time until the statistics of a connection arrive.
const STATISTICS: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq)]
enum Vacuum {
    Never,
    /// Autovacuum, with a setting of the table that starts it early.
    Auto,
    /// From a second connection, while the task runs.
    Often,
}

impl FromStr for Vacuum {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "never" => Self::Never,
            "auto" => Self::Auto,
            "often" => Self::Often,
            _ => return Err(()),
        })
    }
}

impl Growth for PgConnection {
    fn measure(url: &str) {
        let rows = rows(200_000);
        let conn = &mut *connect::<Self>(url, 1).get().unwrap();
        println!("\n{}: {}", Self::NAME, conn.settings());
        let title = format!("PostgreSQL: growth when re-encrypting {} rows", count(rows));
        let table = Table::new(title, &[&["fill factor", "secondary indexes", "VACUUM"], &HEAD[..]].concat());
        for vacuum in list("VACUUM", "never,often") {
            for indexes in list("INDEXES", "0,1,3") {
                for fill_factor in list("FILL_FACTORS", "100,90,70,50") {
                    let keys = Keys::generate();
                    prepare(conn, rows, fill_factor, indexes, vacuum, &keys.keyring(0));
                    let [sizes @ .., vacuums] = rotate(conn, url, rows, vacuum, &keys.keyring(1));
                    let vacuums = match vacuum {
                        Vacuum::Never => "never".into(),
                        Vacuum::Auto => format!("auto: {vacuums}"),
                        Vacuum::Often => format!("every 5 %: {vacuums}"),
                    };
                    let [before, after, heap, index, hot, wal, speed] = sizes;
                    let [fill_factor, indexes] = [fill_factor, indexes].map(|number: usize| number.to_string());
                    table.row([fill_factor, indexes, vacuums, before, after, heap, index, hot, wal, speed]);
                }
            }
        }
        full_table(conn, url, rows);
        drop_table(conn);
    }
}

const HEAD: [&str; 7] = ["heap, MiB", "after", "growth", "growth of indexes", "HOT", "WAL, bytes per row", "rows/s"];

/// How to prepare a full table before a rotation.
#[derive(Clone, Copy)]
enum Preparation {
    Nothing,
    FillFactor,
    FillFactorAndRewrite,
    FormerRotation,
}

impl Preparation {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::FillFactor => "`SET (fillfactor = 50)`",
            Self::FillFactorAndRewrite => "the same, and `VACUUM FULL`",
            Self::FormerRotation => "another rotation, and `VACUUM`",
        }
    }

    fn statements(self) -> &'static [&'static str] {
        const FILL_FACTOR: &str = "alter table bench_people set (fillfactor = 50)";
        match self {
            Self::Nothing => &[],
            Self::FillFactor => &[FILL_FACTOR],
            Self::FillFactorAndRewrite => &[FILL_FACTOR, "vacuum full bench_people"],
            Self::FormerRotation => &["vacuum bench_people"],
        }
    }
}

/// Measures a table that was filled with a fill factor of 100.
fn full_table(conn: &mut PgConnection, url: &str, rows: usize) {
    use Preparation::{FillFactor, FillFactorAndRewrite, FormerRotation, Nothing};
    let title = format!("PostgreSQL: {} rows in full pages, one secondary index", count(rows));
    let table = Table::new(title, &[&["before", "the statements took, s"], &HEAD[..]].concat());
    for preparation in [Nothing, FillFactor, FillFactorAndRewrite, FormerRotation] {
        let keys = Keys::generate();
        prepare(conn, rows, 100, 1, Vacuum::Never, &keys.keyring(0));
        let is_second = matches!(preparation, FormerRotation);
        if is_second {
            rotate(conn, url, rows, Vacuum::Never, &keys.keyring(1));
        }
        let statements = preparation.statements();
        let took = time(|| statements.iter().for_each(|statement| conn.batch_execute(statement).unwrap()));
        for statement in ["vacuum bench_people", "checkpoint"] {
            conn.batch_execute(statement).unwrap();
        }
        let keyring = keys.keyring(if is_second { 0 } else { 1 });
        let [before, after, heap, index, hot, wal, speed, _] = rotate(conn, url, rows, Vacuum::Never, &keyring);
        let took = format!("{:.2}", took.as_secs_f64());
        table.row([preparation.name().into(), took, before, after, heap, index, hot, wal, speed]);
    }
}

fn prepare(
    conn: &mut PgConnection,
    rows: usize,
    fill_factor: usize,
    indexes: usize,
    vacuum: Vacuum,
    keyring: &Arc<Keyring>,
) {
    let vacuum = match vacuum {
        Vacuum::Auto => "autovacuum_vacuum_scale_factor = 0.01",
        _ => "autovacuum_enabled = false",
    };
    create(conn, &format!("with (fillfactor = {fill_factor}, {vacuum})"));
    for index in &INDEXES[..indexes] {
        conn.batch_execute(&format!("create index on bench_people {index}")).unwrap();
    }
    fill(conn, rows, USUAL, keyring);
    conn.settle();
}

/// Runs the task. Returns the cells of [`HEAD`], then the number of VACUUMs.
fn rotate(conn: &mut PgConnection, url: &str, rows: usize, vacuum: Vacuum, keyring: &Arc<Keyring>) -> [String; 8] {
    let before = Figures::read(conn);
    let run = run(url, rows, vacuum, keyring);
    let after = Figures::after(conn, before.updates + rows as u64);
    let updates = after.updates - before.updates;
    [
        mebibytes(before.heap),
        mebibytes(after.heap),
        growth(before.heap, after.heap),
        growth(before.indexes, after.indexes),
        format!("{} %", 100 * (after.hot_updates - before.hot_updates) / updates),
        ((after.wal - before.wal) / rows as u64).to_string(),
        rate(rows, run.rewriting),
        (after.vacuums - before.vacuums).to_string(),
    ]
}

/// Runs the task on connections that end here, so that their counters arrive in the statistics.
fn run(url: &str, rows: usize, vacuum: Vacuum, keyring: &Arc<Keyring>) -> Run {
    let (written, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let share = rows as u64 / SHARE;
    thread::scope(|scope| {
        if vacuum == Vacuum::Often {
            scope.spawn(|| {
                let conn = &mut *connect::<PgConnection>(url, 1).get().unwrap();
                let mut next = share;
                while !is_over.load(Relaxed) {
                    if written.load(Relaxed) >= next {
                        next = written.load(Relaxed) + share;
                        conn.batch_execute("vacuum bench_people").unwrap();
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let connections = connect::<PgConnection>(url, 3);
        let run = task::reencrypt(&connections, keyring, 1, |progress| {
            // A row has two values.
            written.store(progress.rewritten / 2, Relaxed);
        });
        is_over.store(true, Relaxed);
        run
    })
}

/// The figures that the server reports.
struct Figures {
    heap: u64,
    indexes: u64,
    wal: u64,
    updates: u64,
    hot_updates: u64,
    vacuums: u64,
}

impl Figures {
    fn read(conn: &mut PgConnection) -> Self {
        let statistic =
            |column: &str| format!("(select {column} from pg_stat_user_tables where relid = 'bench_people'::regclass)");
        let mut get = |number: &str| -> u64 {
            let number: i64 = diesel::select(sql::<BigInt>(number)).get_result(conn).unwrap();
            number.try_into().unwrap()
        };
        Self {
            heap: get("pg_relation_size('bench_people')"),
            indexes: get("pg_indexes_size('bench_people')"),
            wal: get("(pg_current_wal_insert_lsn() - '0/0')::bigint"),
            updates: get(&statistic("n_tup_upd")),
            hot_updates: get(&statistic("n_tup_hot_upd")),
            vacuums: get(&statistic("vacuum_count + autovacuum_count")),
        }
    }

    /// Waits until the statistics are complete.
    fn after(conn: &mut PgConnection, updates: u64) -> Self {
        let started = Instant::now();
        loop {
            let figures = Self::read(conn);
            if figures.updates >= updates {
                return figures;
            }
            assert!(started.elapsed() < STATISTICS, "the statistics did not arrive");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
