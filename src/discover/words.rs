//! SQL in words, as far as one must read it to know what a definition mentions.

/// A word of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword, a number, or a name without quotes.
    Name(String),
    /// A name in quotes.
    Quoted(String),
    /// What a string literal holds.
    Text(String),
    /// Anything else.
    Sign(String),
}

/// Signs of more than one character, longer ones first.
const SIGNS: [&str; 10] = ["<=>", "->>", ":=", "<>", "!=", "<=", ">=", "||", "::", "->"];

impl Word {
    /// Whether it is this keyword or sign.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Name(text) | Self::Sign(text) if text.eq_ignore_ascii_case(word))
    }

    /// Whether it is one of these keywords or signs.
    pub(super) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is a name of this column or table. Case never tells: a name too many is better than one too few.
    pub(super) fn names(&self, name: &str) -> bool {
        matches!(self, Self::Name(text) | Self::Quoted(text) if text.eq_ignore_ascii_case(name))
    }

    /// What it holds if it is a string literal.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// The words of `sql`, without comments. On MySQL `escapes`: a backslash in a literal speaks for the next character.
pub(super) fn words(sql: &str, escapes: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            _ if first.is_whitespace() => (None, first.len_utf8()),
            _ if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
            _ if rest.starts_with("/*") => (None, rest.find("*/").map_or(rest.len(), |end| end + 2)),
            '\'' => {
                let escapes = escapes || is_escape_prefix(words.last(), sql, rest);
                let (text, length) = quoted(rest, first, escapes);
                (Some(Word::Text(text)), length)
            }
            '"' | '`' => {
                let (name, length) = quoted(rest, first, false);
                (Some(Word::Quoted(name)), length)
            }
            _ if is_in_name(first) => {
                let length = rest.find(|character| !is_in_name(character)).unwrap_or(rest.len());
                (Some(Word::Name(rest[..length].to_owned())), length)
            }
            _ => match dollar_quoted(rest) {
                Some((text, length)) => (Some(Word::Text(text)), length),
                None => {
                    let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                    let sign = sign.unwrap_or(&rest[..first.len_utf8()]);
                    (Some(Word::Sign(sign.to_owned())), sign.len())
                }
            },
        };
        words.extend(word);
        rest = &rest[length..];
    }
    words
}

/// The position of the parenthesis that closes the one at `open`, or the end.
pub(super) fn closing(words: &[Word], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, word) in words.iter().enumerate().skip(open) {
        if word.is("(") {
            depth += 1;
        } else if word.is(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index;
            }
        }
    }
    words.len()
}

/// The position of the parenthesis that the one at `close` closes, or the beginning.
pub(super) fn opening(words: &[Word], close: usize) -> usize {
    let mut depth = 0_usize;
    for (index, word) in words.iter().enumerate().take(close + 1).rev() {
        if word.is(")") {
            depth += 1;
        } else if word.is("(") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index;
            }
        }
    }
    0
}

fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether the literal at the beginning of `rest` is one of PostgreSQL's `E'…'`.
fn is_escape_prefix(last: Option<&Word>, sql: &str, rest: &str) -> bool {
    let before = &sql[..sql.len() - rest.len()];
    last.is_some_and(|word| word.is("e")) && before.ends_with(['e', 'E'])
}

/// What is between quotes, of which two in a row stand for one, and how long it is with them.
fn quoted(rest: &str, quote: char, escapes: bool) -> (String, usize) {
    let mut content = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\\' && escapes {
            content.extend(characters.next().map(|(_, escaped)| escaped));
        } else if character != quote {
            content.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return (content, index + 1);
        }
    }
    (content, rest.len())
}

/// PostgreSQL's `$tag$…$tag$`
fn dollar_quoted(rest: &str) -> Option<(String, usize)> {
    let tag = rest.strip_prefix('$')?;
    let end = tag.find('$')?;
    let is_tag = tag[..end].chars().all(is_in_name) && !tag.starts_with(|first: char| first.is_ascii_digit());
    let delimiter = is_tag.then(|| &rest[..end + 2])?;
    let inner = &rest[delimiter.len()..];
    let length = inner.find(delimiter)?;
    Some((inner[..length].to_owned(), length + 2 * delimiter.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words() {
        let sql = "SELECT \"a\"\"b\", `c`, 'it''s' -- 'no\n, x_1:=y<>2 /* no */ FROM $f$ $1 '$f$ WHERE $1 = E'\\'e'";
        let name = |text: &str| Word::Name(text.into());
        let sign = |text: &str| Word::Sign(text.into());
        let text = |text: &str| Word::Text(text.into());
        let expected = [
            name("SELECT"),
            Word::Quoted("a\"b".into()),
            sign(","),
            Word::Quoted("c".into()),
            sign(","),
            text("it's"),
            sign(","),
            name("x_1"),
            sign(":="),
            name("y"),
            sign("<>"),
            name("2"),
            name("FROM"),
            text(" $1 '"),
            name("WHERE"),
            sign("$"),
            name("1"),
            sign("="),
            name("E"),
            text("'e"),
        ];
        assert_eq!(words(sql, false), expected);
        assert_eq!(words(r"'\' + '\'", false), [text("\\"), sign("+"), text("\\")]);
        assert_eq!(words(r"'\'' + 'é\'", true), [text("'"), sign("+"), text("é'")]);
        assert_eq!(words("'open", false), [text("open")]);
    }

    #[test]
    fn finds_the_other_parenthesis() {
        let sql = words("a (b (c)) d)", false);
        assert_eq!((closing(&sql, 1), opening(&sql, 6)), (6, 1));
        assert_eq!((closing(&sql, 3), opening(&sql, 5)), (5, 3));
        assert_eq!((closing(&sql[..4], 1), opening(&sql, 8)), (4, 0));
    }
}
