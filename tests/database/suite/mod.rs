//! The tests that every database runs.

pub mod program;
mod reencrypt;
