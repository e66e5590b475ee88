//! The main function of the test programs that take seeds: `chaos` and `journey`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// A test program with a script `bin/NAME`.
pub struct SeededTest {
    pub name: &'static str,
    /// The option that sets the size of a run.
    pub size: &'static str,
    /// The size of a run under `cargo test`.
    pub default_size: u64,
    /// Runs one seed at a size. Returns a line of figures, or the first failure.
    pub run: fn(u64, u64) -> Result<String, String>,
}

impl SeededTest {
    /// Runs the selected seeds, and stops at the first failure.
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

    /// Whether the arguments select this test.
    pub fn is_selected(&self, backend: &str) -> bool {
        self.options(backend).is_some()
    }

    /// Parses the arguments. They are options of the script in `bin/`, and options of `cargo test`. Returns `None` if
    /// the arguments select other tests.
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
                // An option of Rust's test harness.
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
