//! Guards: what in the catalogue keeps plaintext out of a column.

/// What keeps everything out of a column that has not the shape of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GuardKind {
    /// The type of the column, a domain of PostgreSQL.
    Domain,
    /// A CHECK of the table or the column.
    Check,
    /// A CHECK of PostgreSQL that nobody has validated: rows that were there before it may hold anything.
    UnvalidatedCheck,
}

/// Whether a condition, in the words in which the database shows it, is that of a guard: it asks for the beginning, the
/// length and the alphabet of a token. Whatever else a server makes of the text, it keeps the literals.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) fn is_guard(condition: &str) -> bool {
    ["gAAAA", "100", "A-Za-z0-9_-]"].iter().all(|part| condition.contains(part))
}
