//! The columns of one table that a task works on.

use std::str::FromStr;

use crate::keys::debug_is_display;
use crate::targets::name::{TableName, split_at_dots};

/// Encrypted columns of one table.
///
/// A target does not name the row key, because the task finds it in the database's catalogue.
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
    /// Columns of a table that you know by name only. If there is a `table!`, use [`Target::of`].
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`] if `columns` is empty.
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

    /// The encrypted columns. There is at least one.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

/// Reads `TABLE.COLUMN` or `SCHEMA.TABLE.COLUMN`. As in SQL, put double quotes around a name that contains a dot.
impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match split_at_dots(text).as_deref() {
            Some([schema, table, column]) => Self::named(TableName::in_schema(schema, table), [column]),
            Some([table, column]) => Self::named(TableName::new(table), [column]),
            _ => Err(InvalidTarget(())),
        }
    }
}

/// The text does not name a column of a table, or no column is named.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a column: write TABLE.COLUMN or SCHEMA.TABLE.COLUMN, with double quotes around a name that contains a dot"
)]
pub struct InvalidTarget(());

debug_is_display!(InvalidTarget);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_table_and_a_column() {
        assert!("email".parse::<Target>().is_err());
        assert!("a.b.c.d".parse::<Target>().is_err());
        let target: Target = r#""my app".users.email"#.parse().unwrap();
        assert_eq!(target.table().to_string(), "my app.users");
        let odd = TableName::in_schema("a.b", "c\"d");
        assert_eq!(split_at_dots(&odd.to_string()).unwrap(), ["a.b", "c\"d"]);
        assert!(Target::named(odd, Vec::<String>::new()).is_err());
    }
}
