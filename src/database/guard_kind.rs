//! The kinds of guards, and how to find a guard among the CHECKs of a table.

#[cfg(any(feature = "mysql", feature = "sqlite"))]
use crate::database::words::{Flavor, closing, words_of};
#[cfg(any(feature = "mysql", feature = "sqlite"))]
use crate::keys::fernet::shape::is_guard;

/// The kind of a guard, which refuses every value of a column that does not have the shape of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GuardKind {
    /// The type of the column: a domain of PostgreSQL.
    Domain,
    /// A CHECK of the table or the column.
    Check,
    /// A CHECK of PostgreSQL that nobody has validated. Rows that are older than the CHECK may hold anything.
    UnvalidatedCheck,
}

/// Whether a CHECK of a `CREATE TABLE` accepts only JSON in this column. A token is not JSON.
#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) fn holds_json(flavor: Flavor, sql: &str, column: &str) -> bool {
    let words = words_of(flavor, sql).unwrap_or_default();
    words.windows(7).any(|words| match words {
        [check, open, valid, inner, name, inner_end, end] => {
            check.is("CHECK")
                && valid.names("json_valid")
                && name.names(column)
                && [open, inner].iter().all(|word| word.is("("))
                && [inner_end, end].iter().all(|word| word.is(")"))
        }
        _ => false,
    })
}

/// Whether a guard of the column is among the CHECKs of a `CREATE TABLE`. `None` if the statement cannot be parsed.
#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) fn is_among_checks(flavor: Flavor, sql: &str, column: &str) -> Option<bool> {
    let words = words_of(flavor, sql)?;
    for (position, pair) in words.windows(2).enumerate() {
        if !pair[0].is("CHECK") || !pair[1].is("(") {
            continue;
        }
        let end = closing(&words, position + 1)?;
        // A function may have the same name as the column. So may a keyword on MySQL, but MySQL quotes all names.
        let is_its_name = |at: usize| {
            let is_name = flavor != Flavor::Mysql || words[at].text.starts_with(['`', '"']);
            is_name && words[at].names(column) && !words[at + 1].is("(")
        };
        let mentions_it = (position..end).any(is_its_name);
        let condition = &sql[pair[1].start..words[end].end()];
        let rest = &sql[words[end].end()..];
        // This is how MySQL shows a CHECK that is not enforced.
        let is_enforced = !rest.trim_start().starts_with("/*!80016 NOT ENFORCED");
        if mentions_it && is_enforced && is_guard(condition) {
            return Some(true);
        }
    }
    Some(false)
}
