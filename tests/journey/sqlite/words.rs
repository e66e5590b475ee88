//! SQLite: what is said in other words elsewhere.

/// No column is too short.
pub const WIDEN: Option<&str> = None;
