//! The check when an application starts.

pub(crate) mod check;
pub(crate) mod error;
pub(crate) mod key_order;
