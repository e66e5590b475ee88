//! The server behind a connection: which one it is, what stands in between, and which others belong to it.

pub(crate) mod cluster;
pub(crate) mod identity;
pub(crate) mod pooler;
pub(crate) mod tls;
pub(crate) mod url;
