//! Whole tables, as ratios against a floor in the same run:
//! `bin/with-servers -- cargo bench --bench tables --features cli-sqlite,cli-postgres,cli-mysql`
//!
//! * Loading rows with two `Encrypted<String>`, against loading the same tokens as `String`.
//! * The task, against a hand-written batch that swaps two tokens a row and has the new tokens ready.
//!
//! Candidates take turns; the figures are medians. `ROWS` (100,000) and `RUNS` (5) can be set in the environment.

#![allow(clippy::unwrap_used)]

#[cfg(any(feature = "cli-postgres", feature = "cli-sqlite", feature = "cli-mysql"))]
#[macro_use]
mod bench;
#[cfg(any(feature = "cli-postgres", feature = "cli-sqlite", feature = "cli-mysql"))]
mod floor;

fn main() {
    #[cfg(feature = "cli-sqlite")]
    {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("bench.db").display().to_string();
        bench!(
            "SQLite",
            diesel::SqliteConnection,
            &url,
            "pragma journal_mode = wal; pragma synchronous = normal",
            1000
        );
    }
    #[cfg(feature = "cli-postgres")]
    match std::env::var("PG_DATABASE_URL") {
        Ok(url) => bench!("PostgreSQL", diesel::PgConnection, &url, "set client_min_messages = warning", 1000),
        Err(_) => println!("PostgreSQL: not measured, PG_DATABASE_URL is not set"),
    }
    #[cfg(feature = "cli-mysql")]
    match std::env::var("MYSQL_DATABASE_URL") {
        Ok(url) => bench!("MariaDB", diesel::MysqlConnection, &url, "set @bench = 1", 500),
        Err(_) => println!("MariaDB: not measured, MYSQL_DATABASE_URL is not set"),
    }
}
