//! PostgreSQL: a CHECK that casts to a domain, or the domain as the type of the column.

pub(crate) mod guarded;
pub(crate) mod writer;
