//! The tests that run on every database.

mod bad_values;
mod column_types;
mod contents;
mod conversion;
#[cfg(feature = "chrono")]
mod elsewhere;
mod estimate;
pub mod guards;
mod guards_found;
mod limits;
pub mod migrations;
mod new_column;
pub mod people;
mod planted;
pub mod program;
pub mod proof;
mod races;
mod refusals;
mod rotation;
pub mod row_keys;
#[allow(dead_code)] // Not every database needs all of it.
pub mod sql;
mod startup;
mod task_migration;
pub mod traps;
mod triggers;
pub mod values;
