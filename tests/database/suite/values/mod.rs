//! Single values: what an application writes, what the database stores, and what the application reads.

mod comparisons;
mod errors;
mod forms;
mod lists;
mod models;
pub mod people;
pub mod plaintexts;
mod redaction;
mod transition;
