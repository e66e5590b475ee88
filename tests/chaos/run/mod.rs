//! One run: a table under the old key, a storm, and the checks.

mod checker;
mod faults;
mod keys;
mod ledger;
mod planted;
mod processes;
mod reader;
mod storm;
mod stragglers;
mod values;
mod world;
mod writers;

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::backend::SERVER;
use crate::support::seeds::SeededTest;

pub const CHAOS: SeededTest = SeededTest { name: "chaos", size: "--seconds", default_size: 5, run: storm::run };

/// Whether a transaction locks a few rows only. On SQLite it locks the whole database.
const ROW_LOCKS: bool = SERVER.is_some();
/// How long a long transaction lasts.
const LONG_TRANSACTION: Duration = Duration::from_millis(if ROW_LOCKS { 1000 } else { 200 });
/// How many processes of the task run at a time.
const PROCESSES: RangeInclusive<usize> = if ROW_LOCKS { 2..=3 } else { 1..=2 };
