//! Whether a process may continue, and how fast.

pub(crate) mod hold;
pub(crate) mod lag;
pub(crate) mod limits;
pub(crate) mod lookout;
pub(crate) mod monitor;
pub(crate) mod pulse;
pub(crate) mod rate;
pub(crate) mod replica;
