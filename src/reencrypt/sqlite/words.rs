//! The words of a statement of SQLite: enough to find the parts of a `CREATE TABLE`, which it keeps as it was written.

/// A keyword, a name, a literal or a sign. Blanks and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    /// Where in the statement it begins.
    pub(crate) start: usize,
}

impl Word<'_> {
    /// Where it ends.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword or sign, and not a name or a literal in quotes.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.text.eq_ignore_ascii_case(keyword)
    }

    /// What it names, without its quotes; `None` for signs and literals.
    pub(crate) fn name(&self) -> Option<String> {
        let (quote, closing) = match self.text.chars().next()? {
            '[' => ("[", ']'),
            '"' => ("\"", '"'),
            '`' => ("`", '`'),
            first if is_of_name(first) && !first.is_ascii_digit() => return Some(self.text.to_owned()),
            _ => return None,
        };
        let inner = self.text.strip_prefix(quote)?.strip_suffix(closing)?;
        Some(inner.replace(&format!("{closing}{closing}"), &closing.to_string()))
    }

    /// Whether it is this name, which SQLite does not tell from the same in other cases.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.name().is_some_and(|known| known.eq_ignore_ascii_case(name))
    }
}

/// All words; `None` if a quote or comment is not closed.
pub(crate) fn words(sql: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        let len = match first {
            _ if first.is_ascii_whitespace() => {
                start += 1;
                continue;
            }
            _ if rest.starts_with("--") => {
                start += rest.find('\n').map_or(rest.len(), |end| end + 1);
                continue;
            }
            _ if rest.starts_with("/*") => {
                start += 2 + rest[2..].find("*/")? + 2;
                continue;
            }
            '\'' | '"' | '`' => quoted_len(rest, first)?,
            '[' => rest.find(']')? + 1,
            _ if is_of_name(first) => rest.find(|character| !is_of_name(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        words.push(Word { text: &rest[..len], start });
        start += len;
    }
    Some(words)
}

/// The position of the sign that closes the parenthesis at `open`.
pub(crate) fn closing(words: &[Word<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, word) in words.iter().enumerate().skip(open) {
        match word.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(position);
        }
    }
    None
}

/// A quote within quotes is doubled.
fn quoted_len(text: &str, quote: char) -> Option<usize> {
    let mut end = 1;
    loop {
        end += text[end..].find(quote)? + 1;
        if !text[end..].starts_with(quote) {
            return Some(end);
        }
        end += 1;
    }
}

/// <https://www.sqlite.org/lang_keywords.html> and the tokenizer: every character beyond ASCII is one of names.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_$".contains(character) || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Option<Vec<&str>> {
        words(sql).map(|words| words.into_iter().map(|word| word.text).collect())
    }

    #[test]
    fn finds_the_words() {
        let cases = [
            ("CREATE TABLE t(a,b)", vec!["CREATE", "TABLE", "t", "(", "a", ",", "b", ")"]),
            ("a -- (b\n/* ' ) */ c--", vec!["a", "c"]),
            ("'it''s (' \"a\"\"b\" `c``d` [e f] é$1", vec!["'it''s ('", "\"a\"\"b\"", "`c``d`", "[e f]", "é$1"]),
            ("x'00' 1.5 ''", vec!["x", "'00'", "1", ".", "5", "''"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(texts(sql).as_ref(), Some(&expected), "{sql}");
        }
        for sql in ["'a", "\"a\"\"", "[a", "/* a", "`"] {
            assert_eq!(texts(sql), None, "{sql}");
        }
    }

    #[test]
    fn knows_names() {
        let named = |sql: &str| words(sql).unwrap()[0].name();
        let cases = [
            ("a", Some("a")),
            ("\"a\"\"b\"", Some("a\"b")),
            ("`c``d`", Some("c`d")),
            ("[e f]", Some("e f")),
            ("'a'", None),
        ];
        for (sql, expected) in cases.into_iter().chain([("(", None), ("1", None)]) {
            assert_eq!(named(sql).as_deref(), expected, "{sql}");
        }
        assert!(words("\"E Mail\"").unwrap()[0].names("e mail"));
        assert!(!words("\"CHECK\"").unwrap()[0].is("CHECK"));
    }

    #[test]
    fn matches_parentheses() {
        let words = words("( a (b) ')' ) (").unwrap();
        assert_eq!((closing(&words, 0), closing(&words, 2), closing(&words, 7)), (Some(6), Some(4), None));
    }
}
