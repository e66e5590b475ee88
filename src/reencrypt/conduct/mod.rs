//! One process in a run, from the plan to the proof.

pub(crate) mod conductor;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod sample;
pub(crate) mod settings;
pub(crate) mod watch;
