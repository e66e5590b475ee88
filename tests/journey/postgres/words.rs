//! PostgreSQL: what is said in other words elsewhere.

/// Makes a column of numbers long enough for tokens, `{}` in number.
pub const WIDEN: Option<&str> = Some("alter table account alter phone type varchar({})");
