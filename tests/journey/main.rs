//! A column's whole journey while applications write to it: from plaintext into encryption, under a guard, under a new
//! key, and out again.
//!
//! `cargo test` takes a short way on each backend; `bin/journey` a long one. `run` is compiled once per backend, beside
//! its `backend`, which is that of `tests/chaos`.

#![allow(clippy::duplicate_mod, clippy::expect_used, clippy::unwrap_used)]

#[allow(dead_code)] // without a backend nothing uses it
#[path = "../database/common.rs"]
mod common;
#[path = "../options.rs"]
mod options;
#[path = "../python/mod.rs"]
mod python;
#[path = "../program/runner.rs"]
mod runner;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use options::Options;

#[cfg(feature = "cli-mysql")]
mod mysql {
    #[allow(dead_code)]
    #[path = "../../chaos/mysql/backend.rs"]
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/mysql/support.rs"]
    mod support;
    mod words;
}

#[cfg(feature = "cli-postgres")]
mod postgres {
    #[allow(dead_code)]
    #[path = "../../chaos/postgres/backend.rs"]
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/postgres/support.rs"]
    mod support;
    mod words;
}

#[cfg(feature = "cli-sqlite")]
mod sqlite {
    #[allow(dead_code)]
    #[path = "../../chaos/sqlite/backend.rs"]
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/sqlite/support.rs"]
    mod support;
    mod words;
}

/// What a journey came to: a line of figures, or what was found to be wrong.
type Outcome = Result<String, Vec<String>>;

type Run = fn(u64, &Options) -> Outcome;

const BACKENDS: &[(&str, Run)] = &[
    #[cfg(feature = "cli-sqlite")]
    ("sqlite", sqlite::run::run),
    #[cfg(feature = "cli-postgres")]
    ("postgres", postgres::run::run),
    #[cfg(feature = "cli-mysql")]
    ("mysql", mysql::run::run),
];

fn main() -> ExitCode {
    let options = Options::from_args();
    for (backend, run) in BACKENDS.iter().filter(|(backend, _)| options.selects("journey", backend)) {
        for seed in options.seeds() {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, &options)));
            match outcome.unwrap_or_else(|_| Err(vec!["panicked, see above".into()])) {
                Ok(figures) => println!("journey {backend} seed {seed}: {figures}"),
                Err(failures) => {
                    for failure in &failures {
                        eprintln!("  {failure}");
                    }
                    println!("journey {backend} seed {seed}: FAILED: {}", failures[0]);
                    println!("again: bin/journey {backend} --seed {seed} --rows {}", options.rows);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}
