//! A condition in SQL that an operator writes: in which rows the plaintext of a column is right.
//!
//! The operator is trusted, so this is no guard against an attack. It refuses what would change the meaning of the
//! statements around the condition, in which a walk could then skip rows.

use crate::database::words::{Flavor, closing, words_of};

/// Why the condition cannot be part of a statement, if it cannot. `columns` are those of the table.
pub(crate) fn flaw(flavor: Flavor, condition: &str, columns: &[String]) -> Option<String> {
    let Some(words) = words_of(flavor, condition) else {
        return Some("a quote or a comment in it is not closed".into());
    };
    if words.is_empty() {
        return Some("it is empty".into());
    }
    let opens = words.iter().enumerate().filter(|(_, word)| word.is("("));
    let closed = words.iter().filter(|word| word.is(")")).count();
    let ends: Vec<Option<usize>> = opens.map(|(position, _)| closing(&words, position)).collect();
    if ends.len() != closed || ends.contains(&None) {
        return Some("a parenthesis in it has no partner".into());
    }
    for word in &words {
        let is_parameter = word.text.starts_with('$') && word.literal().is_none()
            || flavor != Flavor::Postgres && matches!(word.text, "?" | "@" | ":" | ":=");
        if is_parameter || word.is(";") {
            return Some(format!("`{}` has no meaning in it", word.text));
        }
        if ["select", "table", "values", "with"].iter().any(|keyword| word.is(keyword)) {
            return Some("it may use the columns of the same row only, and no other query".into());
        }
        // SQLite takes a name that it does not know for a text, and such a condition may be true for every row.
        let is_quoted = flavor == Flavor::Sqlite && word.text.starts_with('"');
        let is_known = |name: &String| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        if let Some(name) = word.name().filter(|name| is_quoted && !is_known(name)) {
            return Some(format!("the table has no column {name}. Put a text into single quotes"));
        }
    }
    None
}

/// Conditions of which one has to be met.
pub(crate) fn any<'a>(conditions: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut conditions: Vec<&str> = conditions.into_iter().map(str::trim).collect();
    conditions.dedup();
    match conditions.as_slice() {
        [] => None,
        [condition] => Some((*condition).to_owned()),
        conditions => {
            Some(conditions.iter().map(|condition| format!("({condition}\n)")).collect::<Vec<_>>().join(" OR "))
        }
    }
}

/// Whether the condition is met, as `'1'` or `'0'`. A condition that is `NULL` is not met, and a comment at its end hides
/// nothing that follows.
pub(crate) fn is_met(condition: &str) -> String {
    format!("CASE WHEN ({condition}\n) THEN '1' ELSE '0' END")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_statement_is_refused() {
        let columns = ["is_encrypted".to_owned(), "E Mail".to_owned()];
        let flaw = |flavor, condition: &str| flaw(flavor, condition, &columns);
        let all = [Flavor::Postgres, Flavor::Mysql, Flavor::Sqlite];
        for condition in [
            "is_encrypted = false",
            "NOT is_encrypted OR extra = ''",
            "(a = 1) AND (b IN (1, 2)) -- why",
            "note LIKE '%; select ? $1 (%'",
            "coalesce(is_encrypted, false) /* ) */",
        ] {
            assert_eq!(all.map(|flavor| flaw(flavor, condition)), [None, None, None], "{condition}");
        }
        for condition in [
            "",
            " -- nothing",
            "a = 1) OR (b = 2",
            "(a = 1",
            "a = 1)",
            "a = 'open",
            "a = 1; DROP TABLE t",
            "a = $1",
            "id IN (SELECT id FROM other)",
            "EXISTS (VALUES (1))",
            "a /* open",
        ] {
            assert!(all.iter().all(|flavor| flaw(*flavor, condition).is_some()), "{condition}");
        }
        assert_eq!(flaw(Flavor::Postgres, "settings ? 'plain' AND a::text = ''"), None);
        for condition in ["a = ?", "a = @x", "a = :x"] {
            assert!(
                [Flavor::Mysql, Flavor::Sqlite].iter().all(|flavor| flaw(*flavor, condition).is_some()),
                "{condition}"
            );
        }
        assert_eq!(flaw(Flavor::Sqlite, "\"e mail\" = '' AND [IS_ENCRYPTED] = 0"), None);
        assert!(flaw(Flavor::Sqlite, "\"is_encryptd\" IS NOT NULL").is_some());
        assert_eq!(flaw(Flavor::Mysql, "note = \"it's; \""), None);
    }

    #[test]
    fn one_of_several_has_to_be_met() {
        assert_eq!(any([]), None);
        assert_eq!(any([" a = 1 ", "a = 1"]), Some("a = 1".into()));
        assert_eq!(any(["a", "b -- why"]), Some("(a\n) OR (b -- why\n)".into()));
    }
}
