//! One pass over the targets, or the reading for the proof.

pub(crate) mod batch;
pub(crate) mod batch_size;
pub(crate) mod decision;
pub(crate) mod found;
pub(crate) mod large;
pub(crate) mod reader;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod weight;
pub(crate) mod workers;
pub(crate) mod writer;

pub(crate) use found::{Counters, Found};
pub(crate) use sessions::Sessions;
pub(crate) use settings::Settings;
pub(crate) use shared::{Mode, Shared};
