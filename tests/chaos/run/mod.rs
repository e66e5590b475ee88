//! One run: a table under the old key, a storm, and what has come of it.

mod checker;
mod faults;
mod keys;
mod ledger;
mod planted;
mod processes;
mod reader;
mod session;
mod storm;
mod stragglers;
mod values;
mod world;
mod writers;

pub use storm::run;
