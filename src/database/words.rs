//! Splits SQL from a catalogue into words, to find the parts of a statement and the names in it.

// Without one of the backends, nothing reads its SQL.
#![cfg_attr(not(all(feature = "mysql", feature = "postgres", feature = "sqlite")), allow(dead_code))]

/// The database that a statement belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// Literals may be `$$…$$`, and `E'…'` may contain escapes.
    Postgres,
    /// A backslash in a literal escapes the next character. Comments may begin with `#`.
    Mysql,
    /// Names may be in brackets.
    Sqlite,
}

/// Signs of more than one character, longer ones first.
const SIGNS: [&str; 10] = ["<=>", "->>", ":=", "<>", "!=", "<=", ">=", "||", "::", "->"];

/// A keyword, a name, a literal or a sign. Blanks and comments are not words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    /// The position in the statement at which it begins.
    pub(crate) start: usize,
}

impl Word<'_> {
    /// The position after its last character.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword or sign. A name or a literal in quotes is neither.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.text.eq_ignore_ascii_case(keyword)
    }

    /// The name without its quotes; `None` for signs and literals.
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

    /// Whether it is this name, in upper or lower case.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.name().is_some_and(|known| known.eq_ignore_ascii_case(name))
    }

    /// The content of a literal, in which escapes remain; `None` for other words.
    pub(crate) fn literal(&self) -> Option<String> {
        if let Some(inner) = self.text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Some(inner.replace("''", "'"));
        }
        let delimiter = dollar_delimiter(self.text)?;
        self.text.strip_prefix(delimiter)?.strip_suffix(delimiter).map(str::to_owned)
    }
}

/// All words of a statement of SQLite. `None` if a quote or a comment is not closed.
pub(crate) fn words(sql: &str) -> Option<Vec<Word<'_>>> {
    words_of(Flavor::Sqlite, sql)
}

/// All words. `None` if a quote or a comment is not closed.
pub(crate) fn words_of(flavor: Flavor, sql: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        let len = match first {
            _ if first.is_ascii_whitespace() => {
                start += 1;
                continue;
            }
            _ if is_line_comment(flavor, rest) => {
                start += rest.find('\n').map_or(rest.len(), |end| end + 1);
                continue;
            }
            _ if rest.starts_with("/*") => {
                start += 2 + rest[2..].find("*/")? + 2;
                continue;
            }
            '\'' | '"' if flavor == Flavor::Mysql => escaped_len(rest, first)?,
            '\'' if is_escape_prefix(flavor, words.last(), start) => escaped_len(rest, first)?,
            '\'' | '"' | '`' => quoted_len(rest, first)?,
            '[' if flavor == Flavor::Sqlite => rest.find(']')? + 1,
            '$' if flavor == Flavor::Postgres && dollar_delimiter(rest).is_some() => {
                let delimiter = dollar_delimiter(rest)?;
                rest[delimiter.len()..].find(delimiter)? + 2 * delimiter.len()
            }
            _ if is_of_name(first) => rest.find(|character| !is_of_name(character)).unwrap_or(rest.len()),
            _ => SIGNS.into_iter().find(|sign| rest.starts_with(sign)).map_or(first.len_utf8(), str::len),
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

/// The position of the sign that opens the parenthesis that ends at `close`.
pub(crate) fn opening(words: &[Word<'_>], close: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for position in (0..=close).rev() {
        match words.get(position)?.text {
            ")" => depth += 1,
            "(" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(position);
        }
    }
    None
}

/// On MySQL `--` begins a comment only before a blank: `5--3` is 8.
fn is_line_comment(flavor: Flavor, text: &str) -> bool {
    match text.strip_prefix("--") {
        Some(rest) if flavor == Flavor::Mysql => !rest.starts_with(|next: char| !next.is_ascii_whitespace()),
        Some(_) => true,
        None => flavor == Flavor::Mysql && text.starts_with('#'),
    }
}

/// Whether the quote at `start` belongs to an `E'…'`.
fn is_escape_prefix(flavor: Flavor, last: Option<&Word<'_>>, start: usize) -> bool {
    flavor == Flavor::Postgres && last.is_some_and(|word| word.is("E") && word.end() == start)
}

/// `$tag$` at the beginning of a literal
fn dollar_delimiter(text: &str) -> Option<&str> {
    let end = text.strip_prefix('$')?.find('$')? + 2;
    let tag = &text[1..end - 1];
    let is_tag = tag.chars().all(is_of_name) && !tag.starts_with(|first: char| first.is_ascii_digit());
    is_tag.then(|| &text[..end])
}

/// The length of a literal in which an inner quote is doubled or follows a backslash.
fn escaped_len(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(position + 1);
        }
    }
    None
}

/// The length of a literal or name in which an inner quote is doubled.
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

/// <https://www.sqlite.org/lang_keywords.html> and its tokenizer: every character beyond ASCII belongs to names.
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
        let of = |flavor, sql| words_of(flavor, sql).unwrap().into_iter().map(|word| word.text).collect::<Vec<_>>();
        let expected = [r"'\'", "a", "[", "1", "]", "E", r"'\''", "$x$ $1 ' $x$", "x", ":=", "$1"];
        assert_eq!(of(Flavor::Postgres, r"'\' a[1] E'\'' $x$ $1 ' $x$ x:=$1"), expected);
        assert_eq!(of(Flavor::Mysql, r"'it\'s' '''' `a`<=>2"), [r"'it\'s'", "''''", "`a`", "<=>", "2"]);
        assert_eq!(
            of(Flavor::Mysql, "a # don't\nb -- don't\nc--d \"e\\\"'\" --"),
            ["a", "b", "c", "-", "-", "d", r#""e\"'""#]
        );
        for sql in ["'a", "\"a\"\"", "[a", "/* a", "`"] {
            assert_eq!(texts(sql), None, "{sql}");
        }
    }

    #[test]
    fn knows_literals() {
        let literal = |sql| words_of(Flavor::Postgres, sql).unwrap()[0].literal();
        let cases = [
            ("'it''s'", Some("it's")),
            ("$$a$$", Some("a")),
            ("$f$ $1 $f$", Some(" $1 ")),
            ("\"a\"", None),
            ("$1", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(literal(sql).as_deref(), expected, "{sql}");
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
        assert_eq!((opening(&words, 6), opening(&words, 4), opening(&words, 0)), (Some(0), Some(2), None));
    }
}
