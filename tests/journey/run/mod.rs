//! One journey: a table of plaintext, applications that never rest, the steps, and what has come of it.

mod account;
mod application;
mod checker;
mod course;
mod program;
#[path = "../../chaos/run/session.rs"]
mod session;
mod stages;
mod way_in;
mod way_out;
mod world;

pub use course::run;
