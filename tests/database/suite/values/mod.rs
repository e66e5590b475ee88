//! Single values: what goes in, what the database holds, what comes out.

mod errors;
mod forms;
mod models;
pub mod people;
mod plaintexts;

use super::super::support;
