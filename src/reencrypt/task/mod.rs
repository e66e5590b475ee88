//! What a user asks for: a task, its limits, a migration, and the control of running processes.

pub(crate) mod control;
pub(crate) mod limits;
pub(crate) mod migration;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod tls;
