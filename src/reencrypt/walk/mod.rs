//! One walk over the targets.

pub(crate) mod batch;
pub(crate) mod pace;
pub(crate) mod reader;
pub(crate) mod shared;
pub(crate) mod workers;
pub(crate) mod writer;
