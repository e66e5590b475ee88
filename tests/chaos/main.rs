//! The program against everything that can go wrong at once: writers, readers, kills, broken connections, bad rows.
//!
//! `cargo test` runs one short seed per backend; `bin/chaos` runs many, for as long as it is told, and on copies of the
//! code with a guard taken out, which it must notice. `run` is compiled once per backend, beside its `backend`.

#![allow(clippy::duplicate_mod, clippy::expect_used, clippy::unwrap_used)]

#[allow(dead_code)] // without a backend nothing uses it
#[path = "../database/common.rs"]
mod common;
#[path = "../options.rs"]
mod options;
#[path = "../proxy.rs"]
mod proxy;
#[path = "../python/mod.rs"]
mod python;
#[path = "../program/runner.rs"]
mod runner;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use options::Options;

#[cfg(feature = "cli-mysql")]
mod mysql {
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/mysql/support.rs"]
    mod support;
}

#[cfg(feature = "cli-postgres")]
mod postgres {
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/postgres/support.rs"]
    mod support;
}

#[cfg(feature = "cli-sqlite")]
mod sqlite {
    mod backend;
    #[path = "../run/mod.rs"]
    pub mod run;
    #[allow(dead_code, unused_imports, unused_macros)]
    #[path = "../../database/sqlite/support.rs"]
    mod support;
}

/// What a run of one seed came to: a line of figures, or what was found to be wrong.
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
    for (backend, run) in BACKENDS.iter().filter(|(backend, _)| options.selects("chaos", backend)) {
        for seed in options.seeds() {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, &options)));
            match outcome.unwrap_or_else(|_| Err(vec!["panicked, see above".into()])) {
                Ok(figures) => println!("chaos {backend} seed {seed}: {figures}"),
                Err(failures) => {
                    for failure in &failures {
                        eprintln!("  {failure}");
                    }
                    println!("chaos {backend} seed {seed}: FAILED: {}", failures[0]);
                    println!("again: bin/chaos {backend} --seed {seed} --seconds {}", options.seconds);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}
