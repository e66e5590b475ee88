//! Whether a process may continue, and how fast.

pub(crate) mod heartbeat;
pub(crate) mod lag;
pub(crate) mod limits;
pub(crate) mod monitor;
pub(crate) mod pause;
pub(crate) mod rate;
pub(crate) mod replica;
