//! References to `NEW` and `OLD` in a trigger, and which of them copy nothing.

use crate::database::Word;
use crate::database::words::{closing, opening};

/// `NEW` or `OLD` in a definition, with its column. The column is `None` for the whole row, also for `NEW.*`.
#[derive(Clone, Copy)]
pub(crate) struct Reference<'w> {
    pub(crate) position: usize,
    pub(crate) column: Option<Word<'w>>,
}

/// Words that end a statement, or after which a statement begins.
const BOUNDARIES: [&str; 6] = [";", "begin", "then", "else", "loop", "do"];
/// Operators that compare two values. `=` and `:=` may also assign a value.
const COMPARISONS: [&str; 9] = ["=", ":=", "<>", "!=", "<=>", "<", ">", "<=", ">="];

/// Whether it is one of these keywords or signs.
pub(crate) fn is_one_of(word: &Word<'_>, known: &[&str]) -> bool {
    known.iter().any(|known| word.is(known))
}

pub(crate) fn is_row(words: &[Word<'_>], position: usize) -> bool {
    let is_qualified = position > 0 && words[position - 1].is(".");
    words.get(position).is_some_and(|word| is_one_of(word, &["new", "old"])) && !is_qualified
}

fn reference<'w>(words: &[Word<'w>], position: usize) -> Option<Reference<'w>> {
    is_row(words, position).then(|| {
        let member = words.get(position + 1).filter(|word| word.is(".")).and_then(|_| words.get(position + 2));
        Reference { position, column: member.filter(|word| !word.is("*")).copied() }
    })
}

pub(crate) fn references<'w>(words: &[Word<'w>], from: usize, until: usize) -> impl Iterator<Item = Reference<'w>> {
    (from..until).filter_map(|position| reference(words, position))
}

/// `(NEW).email` as `NEW.email`
pub(crate) fn without_parentheses<'w>(words: &[Word<'w>]) -> Vec<Word<'w>> {
    let mut plain: Vec<Word<'w>> = Vec::with_capacity(words.len());
    for word in words {
        let length = plain.len();
        let is_parted = length > 2 && word.is(".") && plain[length - 1].is(")") && plain[length - 3].is("(");
        if is_parted && is_row(&plain, length - 2) {
            plain.pop();
            plain.remove(length - 3);
        }
        plain.push(*word);
    }
    plain
}

/// The positions of rows whose values are not copied.
pub(crate) fn harmless(words: &[Word<'_>]) -> Vec<usize> {
    let mut harmless = Vec::new();
    for position in 0..words.len() {
        if let Some(row) = reference(words, position) {
            if is_assigned(words, row) || (row.column.is_none() && is_returned(words, position)) {
                harmless.push(position);
            }
        }
        let Some((end, is_about_null)) = comparison(words, position) else { continue };
        let left = operand_before(words, position);
        let right = operand_after(words, end);
        let same = |a: &Reference<'_>, b: &Reference<'_>| match (a.column, b.column) {
            (Some(a), Some(b)) => a.name().is_some_and(|name| b.names(&name)),
            (a, b) => a.is_none() && b.is_none(),
        };
        let is_harmless = is_about_null
            || (!left.is_empty() && !right.is_empty() && left.iter().chain(&right).all(|row| same(row, &left[0])));
        if is_harmless {
            harmless.extend(left.iter().chain(right.iter().filter(|_| !is_about_null)).map(|row| row.position));
        }
    }
    harmless
}

/// The position of the right side of the comparison at this position, and whether that side is `NULL`.
fn comparison(words: &[Word<'_>], position: usize) -> Option<(usize, bool)> {
    if is_one_of(&words[position], &COMPARISONS) {
        return Some((position + 1, false));
    }
    if !words[position].is("is") {
        return None;
    }
    let mut end = position + 1;
    for keyword in ["not", "distinct", "from"] {
        end += usize::from(words.get(end).is_some_and(|word| word.is(keyword)));
    }
    Some((end, words.get(end).is_some_and(|word| word.is("null"))))
}

/// The rows in the expression that ends before `end`: a single row, or the rows in parentheses.
fn operand_before<'w>(words: &[Word<'w>], end: usize) -> Vec<Reference<'w>> {
    let Some(last) = end.checked_sub(1) else { return Vec::new() };
    if words[last].is(")") {
        return references(words, opening(words, last).unwrap_or(0), last).collect();
    }
    let single = [Some(last), last.checked_sub(2)].into_iter().flatten().filter_map(|start| reference(words, start));
    single.filter(|row| row.position == last || words[row.position + 1].is(".")).take(1).collect()
}

/// The rows in the expression that begins at `start`: a single row, or the rows in parentheses, which may follow a
/// function.
fn operand_after<'w>(words: &[Word<'w>], start: usize) -> Vec<Reference<'w>> {
    let open = [start, start + 1].into_iter().find(|position| words.get(*position).is_some_and(|word| word.is("(")));
    match (reference(words, start), open) {
        (Some(row), _) => vec![row],
        (None, Some(open)) => references(words, open, closing(words, open).unwrap_or(words.len())).collect(),
        (None, None) => Vec::new(),
    }
}

/// `NEW.email := …`, `SET NEW.email = …`, `SELECT … INTO NEW.email`
fn is_assigned(words: &[Word<'_>], row: Reference<'_>) -> bool {
    let before = row.position.checked_sub(1).map(|before| &words[before]);
    let end = row.position + if row.column.is_some() { 3 } else { 1 };
    let is_set = words.get(end).is_some_and(|word| is_one_of(word, &["=", ":="]));
    match before {
        None => is_set,
        Some(word) if word.is("into") => true,
        Some(word) => is_set && (is_one_of(word, &BOUNDARIES) || is_one_of(word, &["set", ","])),
    }
}

/// `RETURN NEW`, `RETURN coalesce(NEW, OLD)`
fn is_returned(words: &[Word<'_>], position: usize) -> bool {
    let start =
        (0..position).rev().find(|before| is_one_of(&words[*before], &BOUNDARIES)).map_or(0, |before| before + 1);
    words[start].is("return")
}
