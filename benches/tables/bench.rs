//! The table, the candidates, and the medians.

use std::time::{Duration, Instant};

use diesel_encrypted::{Encrypted, Key, Keyring};

pub(crate) mod encrypted {
    diesel::table! {
        use diesel::sql_types::*;
        use diesel_encrypted::sql_types::*;

        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> EncryptedText,
            ssn -> EncryptedText,
        }
    }
}

/// The same table as the database knows it.
pub(crate) mod plain {
    diesel::table! {
        bench_people (id) {
            id -> BigInt,
            name -> Text,
            email -> Text,
            ssn -> Text,
        }
    }
}

pub(crate) type Row = (i64, String, Encrypted<String>, Encrypted<String>);
pub(crate) type PlainRow = (i64, String, String, String);

pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Two keyrings, between which the table goes back and forth.
pub(crate) fn keyrings() -> [Keyring; 2] {
    let (a, b) = (Key::generate(), Key::generate());
    [Keyring::new([a.clone(), b.clone()]).unwrap(), Keyring::new([b, a]).unwrap()]
}

/// Values of 24 to 64 bytes, as addresses and numbers are.
pub(crate) fn rows(count: usize, keyring: &Keyring) -> Vec<PlainRow> {
    let value = |id: usize, step: usize| "x".repeat(24 + id * step % 41);
    let token = |id: usize, step: usize| keyring.encrypt(value(id, step).as_bytes());
    (1..=count).map(|id| (id as i64, format!("name {id}"), token(id, 7), token(id, 11))).collect()
}

pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn rate(rows: usize, time: Duration) -> String {
    format!("{:>9.0} rows/s", rows as f64 / time.as_secs_f64())
}

/// `bench!(name, connection type, url, session statement, batch)`
macro_rules! bench {
    ($name:literal, $conn:ty, $url:expr, $session:literal, $batch:literal) => {{
        use diesel::connection::SimpleConnection;
        use diesel::prelude::*;
        use diesel::r2d2::{ConnectionManager, Pool};
        use diesel_encrypted::Target;
        use diesel_encrypted::reencrypt::Task;
        use $crate::bench::*;

        let (count, runs) = (setting("ROWS", 100_000), setting("RUNS", 5));
        let pool = Pool::builder().max_size(3).build(ConnectionManager::<$conn>::new($url)).unwrap();
        let conn = &mut *pool.get().unwrap();
        conn.batch_execute($session).unwrap();
        let keyrings = keyrings().map(std::sync::Arc::new);
        conn.batch_execute("drop table if exists bench_people").unwrap();
        conn.batch_execute("create table bench_people (id bigint not null primary key, name text not null, email text not null, ssn text not null)").unwrap();
        conn.transaction(|conn| {
            let rows = rows(count, &keyrings[0]);
            rows.chunks(1000).try_for_each(|rows| {
                use plain::bench_people::dsl::*;
                let values: Vec<_> =
                    rows.iter().map(|row| (id.eq(row.0), name.eq(&row.1), email.eq(&row.2), ssn.eq(&row.3))).collect();
                diesel::insert_into(bench_people).values(values).execute(conn).map(drop)
            })
        })
        .unwrap();

        let (mut as_string, mut as_encrypted) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            as_string.push(time(|| drop(plain::bench_people::table.load::<PlainRow>(conn).unwrap())));
            keyrings[0].scope(|| {
                as_encrypted.push(time(|| drop(encrypted::bench_people::table.load::<Row>(conn).unwrap())));
            });
        }
        let (as_string, as_encrypted) = (median(&mut as_string), median(&mut as_encrypted));
        println!("{}: load {count} rows with two encrypted columns", $name);
        println!("    as String             {}", rate(count, as_string));
        println!("    as Encrypted<String>  {}", rate(count, as_encrypted));
        println!("    time, of the floor    {:>9.2}", as_encrypted.as_secs_f64() / as_string.as_secs_f64());

        let (mut by_hand, mut one, mut two, mut proof) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut primary = 0;
        for _ in 0..runs {
            primary = 1 - primary;
            let old: Vec<PlainRow> = plain::bench_people::table.order(plain::bench_people::id).load(conn).unwrap();
            let reseal = |token: &String| {
                keyrings[primary].encrypt(&keyrings[primary].decrypt(token.as_bytes()).unwrap())
            };
            let new: Vec<[String; 2]> = old.iter().map(|row| [reseal(&row.2), reseal(&row.3)]).collect();
            by_hand.push(time(|| {
                for (old, new) in old.chunks($batch).zip(new.chunks($batch)) {
                    let swapped = $crate::floor::Floor::new(old, new).execute(conn).unwrap();
                    assert_eq!(swapped, old.len());
                }
            }));
            let target = || Target::of(encrypted::bench_people::table).unwrap();
            for (workers, times) in [(1, &mut one), (2, &mut two)] {
                primary = 1 - primary;
                let keyring = || std::sync::Arc::clone(&keyrings[primary]);
                let task = Task::new(keyring()).target(target()).workers(workers);
                times.push(time(|| assert!(task.run(&pool).unwrap().is_proven())));
                if workers == 1 {
                    proof.push(time(|| drop(Task::new(keyring()).target(target()).status(&pool).unwrap())));
                }
            }
        }
        let (by_hand, one, two, proof) = (median(&mut by_hand), median(&mut one), median(&mut two), median(&mut proof));
        println!("{}: re-encrypt {count} rows with two encrypted columns", $name);
        println!("    by hand, new tokens ready    {}", rate(count, by_hand));
        for (workers, time) in [(1, one), (2, two)] {
            println!(
                "    the task, workers: {workers}, proof included  {}    of the floor {:.2}    without the proof {:.2}",
                rate(count, time),
                by_hand.as_secs_f64() / time.as_secs_f64(),
                by_hand.as_secs_f64() / time.saturating_sub(proof / workers).as_secs_f64()
            );
        }
        conn.batch_execute("drop table bench_people").unwrap();
    }};
}
