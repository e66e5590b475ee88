//! The arguments of a test program with a `main` of its own: those of its script in `bin/`, among those of `cargo test`.

#![allow(dead_code)] // each test program uses a part of it

use std::ops::Range;

pub struct Options {
    /// How long a storm lasts.
    pub seconds: u64,
    /// How many rows a table has.
    pub rows: u64,
    first: u64,
    count: u64,
    names: Vec<String>,
    lists: bool,
}

impl Options {
    pub fn from_args() -> Self {
        let mut this = Self { seconds: 5, rows: 2000, first: 1, count: 1, names: Vec::new(), lists: false };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || -> u64 {
                let number = args.next().and_then(|text| text.parse().ok());
                number.unwrap_or_else(|| panic!("{arg} takes a number"))
            };
            match arg.as_str() {
                "--seconds" => this.seconds = number(),
                "--rows" => this.rows = number(),
                "--seed" => this.first = number(),
                "--seeds" => this.count = number(),
                "--list" => this.lists = true,
                // An option of cargo's own test runner.
                option if option.starts_with('-') => {}
                name => this.names.push(name.into()),
            }
        }
        this
    }

    /// Whether this backend is meant: any of the names is part of `program::backend`.
    pub fn selects(&self, program: &str, backend: &str) -> bool {
        let test = format!("{program}::{backend}");
        !self.lists && (self.names.is_empty() || self.names.iter().any(|name| test.contains(name)))
    }

    pub fn seeds(&self) -> Range<u64> {
        self.first..self.first + self.count
    }
}
