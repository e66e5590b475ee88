//! Which tables and columns a task works on.

use std::fmt;
use std::str::FromStr;

/// Encrypted columns of one table. The row key is not part of it: the task finds that in the database's catalogue.
///
/// ```
/// use diesel_encrypted::Target;
///
/// let target: Target = "app.users.email".parse()?;
/// assert_eq!(target.table().to_string(), "app.users");
/// assert_eq!(target.columns(), ["email"]);
/// # Ok::<(), diesel_encrypted::InvalidTarget>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) table: TableName,
    pub(super) columns: Vec<String>,
}

impl Target {
    /// The columns of a table known by name only. Use [`Target::of`] where there is a `table!`.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`] if no column is named.
    pub fn named<C: Into<String>>(
        table: TableName,
        columns: impl IntoIterator<Item = C>,
    ) -> Result<Self, InvalidTarget> {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        if columns.is_empty() { Err(InvalidTarget(())) } else { Ok(Self { table, columns }) }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// The encrypted columns; never empty.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

/// `TABLE.COLUMN` or `SCHEMA.TABLE.COLUMN`. A name with a dot in it is written in double quotes, as in SQL.
impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = names(text).ok_or(InvalidTarget(()))?;
        let (table, column) = match <[String; 3]>::try_from(names) {
            Ok([schema, table, column]) => (TableName::in_schema(schema, table), column),
            Err(names) => {
                let [table, column] = <[String; 2]>::try_from(names).map_err(|_| InvalidTarget(()))?;
                (TableName::new(table), column)
            }
        };
        Self::named(table, [column])
    }
}

/// The name of a table, with or without its schema (on MySQL: its database). Names are taken literally, case included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    schema: Option<String>,
    name: String,
}

impl TableName {
    /// A table that the database finds by itself, on its search path for example.
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

/// As [`Target`]'s `FromStr` reads it: `users`, `app.users`, `"odd.name"`.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| match name.contains(['.', '"']) || name.is_empty() {
            true => format!("\"{}\"", name.replace('"', "\"\"")),
            false => name.to_owned(),
        };
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

/// A text does not name a column of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a column: write TABLE.COLUMN or SCHEMA.TABLE.COLUMN, names with a dot in double quotes")]
pub struct InvalidTarget(());

/// Splits at dots outside of double quotes; `None` if a name is empty or a quote is not closed.
fn names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut unquoted = String::new();
            let mut parts = quoted.split('"');
            unquoted.push_str(parts.next()?);
            let mut used = unquoted.len() + 1;
            // a doubled quote stands for one
            while quoted.get(used..)?.starts_with('"') {
                unquoted.push('"');
                let part = quoted[used + 1..].split('"').next()?;
                unquoted.push_str(part);
                used += part.len() + 2;
            }
            (name, rest) = (unquoted, quoted.get(used..)?);
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (name, rest) = (rest[..end].to_owned(), &rest[end..]);
        }
        if name.is_empty() {
            return None;
        }
        names.push(name);
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return rest.is_empty().then_some(names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let cases = [
            ("users.email", vec!["users", "email"]),
            ("app.users.email", vec!["app", "users", "email"]),
            (r#""odd.name"."a""b""#, vec!["odd.name", "a\"b"]),
            (r#"Users."E Mail""#, vec!["Users", "E Mail"]),
            (r#""""".x"#, vec!["\"", "x"]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text).unwrap(), expected, "{text}");
        }
        for text in ["", ".", "users.", ".email", "a..b", r#""open"#, r#""a"b.c"#, r#""".x"#] {
            assert_eq!(names(text), None, "{text}");
        }
    }

    #[test]
    fn a_target_is_a_table_and_a_column() {
        assert!("email".parse::<Target>().is_err());
        assert!("a.b.c.d".parse::<Target>().is_err());
        let target: Target = r#""my app".users.email"#.parse().unwrap();
        assert_eq!(target.table().to_string(), "my app.users");
        let odd = TableName::in_schema("a.b", "c\"d");
        assert_eq!(names(&odd.to_string()).unwrap(), ["a.b", "c\"d"]);
        assert!(Target::named(odd, Vec::<String>::new()).is_err());
    }
}
