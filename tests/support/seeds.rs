//! The main function of a test program that takes seeds: `chaos` and `journey`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// A test program. Its script is `bin/NAME`.
pub struct SeededTest {
    pub name: &'static str,
    /// The option that says how large a run is.
    pub size: &'static str,
    /// The size of a run under `cargo test`.
    pub default_size: u64,
    /// Runs a seed at a size. Returns a line of figures, or the first failure.
    pub run: fn(u64, u64) -> Result<String, String>,
}

impl SeededTest {
    /// Runs the seeds that the arguments ask for, up to the first failure.
    pub fn main(&self, backend: &str) -> ExitCode {
        let Some(Options { size, first_seed, seeds }) = self.options(backend) else { return ExitCode::SUCCESS };
        for seed in first_seed..first_seed + seeds {
            let outcome = catch_unwind(AssertUnwindSafe(|| (self.run)(seed, size)));
            match outcome.unwrap_or_else(|_| Err("panicked, see above".into())) {
                Ok(figures) => println!("{} {backend} seed {seed}: {figures}", self.name),
                Err(failure) => {
                    println!("{} {backend} seed {seed}: FAILED: {failure}", self.name);
                    println!("again: bin/{} {backend} --seed {seed} {} {size}", self.name, self.size);
                    return ExitCode::FAILURE;
                }
            }
        }
        ExitCode::SUCCESS
    }

    /// Reads the arguments: options of the script in `bin/`, among options of `cargo test`. Returns nothing if they ask
    /// for other tests.
    fn options(&self, backend: &str) -> Option<Options> {
        let mut options = Options { size: self.default_size, first_seed: 1, seeds: 1 };
        let mut filters: Vec<String> = Vec::new();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || -> u64 {
                let number = args.next().and_then(|text| text.parse().ok());
                number.unwrap_or_else(|| panic!("{arg} takes a number"))
            };
            match arg.as_str() {
                size if size == self.size => options.size = number(),
                "--seed" => options.first_seed = number(),
                "--seeds" => options.seeds = number(),
                "--list" => return None,
                // An option for the test harness of Rust.
                option if option.starts_with('-') => {}
                filter => filters.push(filter.into()),
            }
        }
        let name = format!("{}::{backend}", self.name);
        (filters.is_empty() || filters.iter().any(|filter| name.contains(filter))).then_some(options)
    }
}

struct Options {
    size: u64,
    first_seed: u64,
    seeds: u64,
}
