//! The migrations that put guards on existing columns.

use crate::guard::error::GuardError;
use crate::guard::names;
use crate::guard::table::{GuardConnection, GuardWriter, Table, check_values, look_up};
use crate::targets::Target;

/// How the guards go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Way {
    /// In one statement, for which the table is locked until every row has been looked at.
    #[default]
    AtOnce,
    /// In two migrations: one that binds whoever writes from then on, under a lock of a moment, and one that looks at
    /// the rows that are there, while readers and writers go on. PostgreSQL and MariaDB.
    Online,
}

/// A migration as Diesel reads it from a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardMigration {
    /// What the name of the folder says behind the version: `guard_users_email`.
    pub name: String,
    /// `up.sql`
    pub up: String,
    /// `down.sql`
    pub down: String,
    /// Whether Diesel is to run it in a transaction. If not, `metadata.toml` says `run_in_transaction = false`.
    pub in_transaction: bool,
    /// What it locks and for how long, and what else to know before it is run.
    pub notes: Vec<String>,
}

/// The migrations that guard these columns, in the order in which they are to be run. Those of one table are guarded
/// together.
///
/// Nothing is changed. Each table is read as a whole once, since the database would refuse a guard as long as a value is
/// not a token.
///
/// # Errors
///
/// [`GuardError`] if there is nothing to guard, if a column has a guard already, if a value is not a token, or if the
/// database has no such way.
///
#[cfg_attr(feature = "cli-sqlite", doc = "```")]
#[cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::guard::{self, Way};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let conn = &mut SqliteConnection::establish(":memory:")?;
/// diesel::sql_query("create table users (id integer primary key, email text not null)").execute(conn)?;
/// let migrations = guard::migrations(conn, &["users.email".parse()?], Way::AtOnce)?;
/// assert_eq!(migrations[0].name, "guard_users_email");
/// assert!(migrations[0].up.contains("CONSTRAINT \"users_email_is_encrypted\" CHECK"));
/// # Ok(())
/// # }
/// ```
pub fn migrations<C: GuardConnection>(
    conn: &mut C,
    targets: &[Target],
    way: Way,
) -> Result<Vec<GuardMigration>, GuardError> {
    let tables = look_up(conn, targets)?;
    let mut migrations = Vec::new();
    let mut all_conditions = Vec::new();
    for table in &tables {
        let conditions = C::Backend::conditions(conn, table)?;
        migrations.extend(C::Backend::write(conn, table, &conditions, way)?);
        all_conditions.push(conditions);
    }
    // Last, since it takes the longest.
    for (table, conditions) in tables.iter().zip(&all_conditions) {
        check_values(conn, table, conditions)?;
    }
    Ok(migrations)
}

impl GuardMigration {
    /// A migration of this table, in a transaction.
    pub(crate) fn of(table: &Table, up: String, down: String) -> Self {
        Self { name: names::migration(table.names()), up, down, in_transaction: true, notes: Vec::new() }
    }

    /// The one after it.
    pub(crate) fn second(table: &Table, up: String, down: String) -> Self {
        let mut this = Self::of(table, up, down);
        this.name += "_validate";
        this
    }
}

/// A condition between the parentheses of a CHECK.
pub(crate) fn indented(condition: &str) -> String {
    condition.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

/// `public.users.email, public.users.phone`
pub(crate) fn places(table: &Table) -> String {
    table.columns.iter().map(|column| table.place(column)).collect::<Vec<_>>().join(", ")
}
