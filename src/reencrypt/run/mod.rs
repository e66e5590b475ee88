//! The rules of a run, and the two places where a run can be kept.

pub(crate) mod claim;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod processes;
pub(crate) mod ranges;
pub(crate) mod rules;
pub(crate) mod signature;
pub(crate) mod sound;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod tables;

pub(crate) use claim::{Claim, ClaimNumber, ClaimProgress, Range};
pub(crate) use rules::{Asked, Run, Scope, Step};
pub(crate) use state::{State, Stored};
pub(crate) use store::{Claimed, Store};
pub(crate) use tables::Tables;
