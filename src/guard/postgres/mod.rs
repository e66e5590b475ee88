//! PostgreSQL: a domain as the type of the column, or a CHECK that casts to the domain.

pub(crate) mod guarded;
pub(crate) mod writer;
