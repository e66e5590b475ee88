//! Single values: what goes in, what the database holds, what comes out.

mod comparisons;
mod errors;
mod forms;
mod lists;
mod models;
pub mod people;
pub mod plaintexts;
mod redaction;
mod transition;
