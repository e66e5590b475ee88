//! What a user asks for.

pub(crate) mod control;
pub(crate) mod limits;
pub(crate) mod migration;
pub(crate) mod run;
pub(crate) mod settings;
