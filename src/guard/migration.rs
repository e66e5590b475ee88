//! The migrations that add guards to existing columns.

#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::database::{Language, quote::quoted_table};
use crate::guard::names;
use crate::guard::table::{Column, Table};
#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::targets::TableName;

/// How a migration adds the guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Way {
    /// As a CHECK. On PostgreSQL in two migrations, as [`Online`](Way::Online). Elsewhere in one statement, and writers
    /// wait until the database has checked every row.
    #[default]
    Check,
    /// As a CHECK, in two migrations, while readers and writers continue. The first one guards every later write, and
    /// locks the table for a moment. The second one checks the existing rows. Only PostgreSQL and MariaDB support this.
    Online,
    /// As the type of the column: a domain. Only PostgreSQL supports this.
    ///
    /// The server rewrites the table, and nobody reads or writes it until that is done. Afterwards, every prepared
    /// statement that returns the column fails with `cached plan must not change result type`, each time it is used, until
    /// the application closes the connection.
    Domain,
}

/// A migration in the form in which Diesel reads it from a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardMigration {
    /// The name of the folder after the version: `guard_users_email`.
    pub name: String,
    /// `up.sql`
    pub up: String,
    /// `down.sql`
    pub down: String,
    /// Whether Diesel should run it in a transaction. Otherwise `metadata.toml` needs `run_in_transaction = false`.
    pub in_transaction: bool,
    /// Notes to read before you run it: for example, what it locks and for how long. A note ends without a period.
    pub notes: Vec<String>,
    /// Whether [`Way::Online`] would add the same guards while writers continue, which this migration does not.
    pub has_online_way: bool,
}

impl GuardMigration {
    /// The migration of this table, which runs in a transaction.
    pub(crate) fn of(table: &Table, up: String, down: String) -> Self {
        let name = names::migration(table.names());
        Self { name, up, down, in_transaction: true, notes: Vec::new(), has_online_way: false }
    }

    /// The second migration of a table, which validates the guards of the first one.
    pub(crate) fn second(table: &Table, up: String, down: &str) -> Self {
        let down = format!("-- The migration before this one drops the guards.\n{down}");
        let mut this = Self::of(table, up, down);
        this.name += "_validate";
        this
    }
}

/// A note on a column with a default.
pub(crate) fn default_note(table: &Table, column: &Column) -> String {
    format!(
        "{}: its default stays. If the default is not a token, the guard refuses an INSERT that relies on it",
        table.place(column)
    )
}

/// `ALTER TABLE` with these actions. One statement, so that the server reads the table only once.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn alter<DB: Language>(table: &TableName, actions: impl Iterator<Item = String>) -> String {
    let actions: Vec<String> = actions.map(|action| format!("\n    {action}")).collect();
    format!("ALTER TABLE {}{};\n", quoted_table::<DB>(table), actions.join(","))
}

/// The lines of a condition, as they stand between the parentheses of a CHECK.
///
/// A line break inside quotes is part of a name, and stays as it is. The conditions have no comments with quotes.
pub(crate) fn indented(condition: &str) -> String {
    const INDENT: &str = "        ";
    let mut quote = None;
    let mut lines = String::from(INDENT);
    for character in condition.chars() {
        lines.push(character);
        match quote {
            None if character == '\n' => lines += INDENT,
            None => quote = Some(character).filter(|character| ['\'', '"', '`'].contains(character)),
            Some(begun) if begun == character => quote = None,
            Some(_) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_indented() {
        assert_eq!(indented("\"a\r\nb\" > 'x\ny'\nAND `c\n`"), "        \"a\r\nb\" > 'x\ny'\n        AND `c\n`");
    }
}
