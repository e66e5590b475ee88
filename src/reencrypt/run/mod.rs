//! The rules of a run, and the two places where a run can be kept.

pub(crate) mod claim;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod rules;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod tables;
