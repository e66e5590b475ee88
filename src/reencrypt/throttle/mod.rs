//! Whether a process may continue, and how fast.

pub(crate) mod heartbeat;
pub(crate) mod lag;
pub(crate) mod limits;
pub(crate) mod monitor;
pub(crate) mod pause;
pub(crate) mod rate;
pub(crate) mod replica;

pub(crate) use heartbeat::Heartbeat;
pub(crate) use limits::Limits;
pub(crate) use monitor::Monitor;
pub(crate) use rate::Throttle;
