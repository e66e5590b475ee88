//! The name of a table, and the parser of dotted names.

use std::fmt;

/// The name of a table, with or without its schema (on MySQL: its database).
///
/// Names are literal and case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    schema: Option<String>,
    name: String,
}

impl TableName {
    /// A table that the database finds by itself, for example on its search path.
    pub fn new(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A table in a schema.
    pub fn in_schema(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }

    /// The schema, if one is given.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without the schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Writes the form that `FromStr` of [`Target`](crate::Target) reads: `users`, `app.users`, `"odd.name"`.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| {
            if name.contains(['.', '"']) || name.is_empty() {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name.to_owned()
            }
        };
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

/// Splits a text at dots outside double quotes, or returns `None` if a name is empty or a quote is not closed.
pub(super) fn split_at_dots(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => {
                let (name, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                (name.to_owned(), after)
            }
        };
        if name.is_empty() {
            return None;
        }
        names.push(name);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(names),
        }
    }
}

/// Splits a text after its opening quote into the quoted name and the text after the closing quote.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            // A doubled quote stands for one.
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_dots() {
        let cases = [
            ("users.email", vec!["users", "email"]),
            ("app.users.email", vec!["app", "users", "email"]),
            (r#""odd.name"."a""b""#, vec!["odd.name", "a\"b"]),
            (r#"Users."E Mail""#, vec!["Users", "E Mail"]),
            (r#""""".x"#, vec!["\"", "x"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split_at_dots(text).unwrap(), expected, "{text}");
        }
        for text in ["", ".", "users.", ".email", "a..b", r#""open"#, r#""a"b.c"#, r#""".x"#] {
            assert_eq!(split_at_dots(text), None, "{text}");
        }
    }
}
