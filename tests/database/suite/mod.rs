//! The tests that every database runs.

mod reencrypt;
