//! The rules of a run, and where it is kept.

pub(crate) mod rules;
pub(crate) mod state;
pub(crate) mod store;
