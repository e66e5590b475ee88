//! Measurements on whole tables. `docs/performance.md` explains each of them.
//!
//! `bin/bench` runs them on servers with default settings. To run them directly:
//!
//! ```sh
//! cargo bench --bench tables --features cli-sqlite,cli-postgres,cli-mysql -- rates sqlite
//! ```
//!
//! The arguments are measurements (`load`, `rates`, `processes`, `latency`, `memory`, `growth`) and databases (`sqlite`,
//! `postgres`, `mysql`). By default, it measures `load` and `rates` on SQLite and on the servers whose URL is set.
//!
//! Candidates take turns, and the figures are medians. You can set sizes in the environment: the `ROWS` of the table,
//! the `RUNS` of each candidate, and the others that `docs/performance.md` names.

#![allow(clippy::unwrap_used)]
// Without the feature of a database, most of this is unused.
#![cfg_attr(not(any(feature = "cli-mysql", feature = "cli-postgres", feature = "cli-sqlite")), allow(unused))]

mod database;
mod fill;
mod growth;
mod latency;
mod load;
mod measure;
mod memory;
mod people;
mod processes;
mod program;
mod rates;
mod task;

use growth::Growth;

const MEASUREMENTS: [&str; 6] = ["load", "rates", "processes", "latency", "memory", "growth"];
const DATABASES: [&str; 3] = ["sqlite", "postgres", "mysql"];

fn main() {
    // Cargo itself adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(word) = words.iter().find(|word| ![&MEASUREMENTS[..], &DATABASES].concat().contains(&word.as_str())) {
        eprintln!("{word} is not one of: {} {}", MEASUREMENTS.join(" "), DATABASES.join(" "));
        std::process::exit(2);
    }
    let named = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| words.iter().any(|word| word == name)).collect()
    };
    let (mut measurements, mut databases) = (named(&MEASUREMENTS), named(&DATABASES));
    if measurements.is_empty() {
        measurements = MEASUREMENTS[..2].to_vec();
    }
    if databases.is_empty() {
        databases = DATABASES.to_vec();
    }
    for database in databases {
        match database {
            #[cfg(feature = "cli-sqlite")]
            "sqlite" => {
                let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
                let url = folder.path().join("bench.db").display().to_string();
                measure::<diesel::SqliteConnection>(&measurements, &url);
            }
            #[cfg(feature = "cli-postgres")]
            "postgres" => server::<diesel::PgConnection>(&measurements, "PG_DATABASE_URL"),
            #[cfg(feature = "cli-mysql")]
            "mysql" => server::<diesel::MysqlConnection>(&measurements, "MYSQL_DATABASE_URL"),
            _ => {}
        }
    }
}

#[cfg(any(feature = "cli-mysql", feature = "cli-postgres"))]
fn server<D: Growth>(measurements: &[&str], variable: &str) {
    match std::env::var(variable) {
        Ok(url) => measure::<D>(measurements, &url),
        Err(_) => println!("\n{}: not measured, because {variable} is not set", D::NAME),
    }
}

fn measure<D: Growth>(measurements: &[&str], url: &str) {
    for measurement in measurements {
        match *measurement {
            "load" => load::measure::<D>(url),
            "rates" => rates::measure::<D>(url),
            "processes" => processes::measure::<D>(url),
            "latency" => latency::measure::<D>(url),
            "memory" => memory::measure::<D>(url),
            _ => D::measure(url),
        }
    }
}
