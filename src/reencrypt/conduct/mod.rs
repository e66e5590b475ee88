//! One process in a run, from the plan to the proof.

pub(crate) mod checks;
pub(crate) mod conductor;
pub(crate) mod fence;
pub(crate) mod nodes;
pub(crate) mod planning;
pub(crate) mod planted;
pub(crate) mod progress;
pub(crate) mod proof;
pub(crate) mod sample;
pub(crate) mod watch;

pub(crate) use conductor::Conductor;
pub(crate) use fence::Fence;
pub(crate) use nodes::Nodes;
pub(crate) use planted::Accepted;
pub(crate) use proof::Reading;

pub(crate) use sample::Sample;
pub(crate) use watch::Watch;
