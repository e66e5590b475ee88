//! One journey: a table of plaintext, an application that writes all the time, the steps, and the checks.

mod account;
mod application;
mod checker;
mod course;
mod program;
mod stages;
mod way_in;
mod way_out;
mod world;

use crate::support::seeds::SeededTest;

pub const JOURNEY: SeededTest = SeededTest { name: "journey", size: "--rows", default_size: 2000, run: course::run };
