//! Returns the migrations for columns in which every value is a token.

use diesel::RunQueryDsl;
use diesel::result::Error as DieselError;

use crate::database::quote::quoted_table;
use crate::database::{DialectConnection, Fields, SessionSettings, Sql};
use crate::guard::error::GuardError;
use crate::guard::lookup::look_up;
use crate::guard::migration::{GuardMigration, Way};
use crate::guard::refusal::GuardRefusal;
use crate::guard::table::Table;
use crate::guard::writer::GuardWriter;
use crate::targets::{Target, printable};

/// Returns the migrations that guard these columns, in the order in which to run them. A migration guards all columns of
/// a table together.
///
/// It changes nothing. It reads each table once, because the database would refuse a guard while a value is not a token.
///
/// # Errors
///
/// [`GuardError`] if no column is named, if a column has a guard already, if a value is not a token, or if the database
/// does not support this [`Way`].
///
#[cfg_attr(feature = "cli-sqlite", doc = "```")]
#[cfg_attr(not(feature = "cli-sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel_encrypted::guard::{self, Way};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let conn = &mut SqliteConnection::establish(":memory:")?;
/// diesel::sql_query("create table users (id integer primary key, email text not null)").execute(conn)?;
/// let migrations = guard::migrations(conn, &["users.email".parse()?], Way::Check)?;
/// assert_eq!(migrations[0].name, "guard_users_email");
/// assert!(migrations[0].up.contains("CONSTRAINT \"users_email_is_encrypted\" CHECK"));
/// # Ok(())
/// # }
/// ```
pub fn migrations<C>(conn: &mut C, targets: &[Target], way: Way) -> Result<Vec<GuardMigration>, GuardError>
where
    C: DialectConnection<Backend: GuardWriter>,
{
    C::Backend::pinned(conn, |conn| {
        let tables = look_up(conn, targets)?;
        let mut migrations = Vec::new();
        let mut all_conditions = Vec::new();
        for table in &tables {
            let conditions = C::Backend::conditions(conn, table)?;
            migrations.extend(C::Backend::write(conn, table, &conditions, way)?);
            all_conditions.push(conditions);
        }
        // The values are checked last, because this takes the longest.
        for (table, conditions) in tables.iter().zip(&all_conditions) {
            check_values(conn, table, conditions)?;
        }
        for note in migrations.iter_mut().flat_map(|migration| &mut migration.notes) {
            let shown = printable(note).to_string();
            *note = shown;
        }
        Ok(migrations)
    })
}

/// Reads the whole table, and refuses it if the guards would refuse a value.
fn check_values<C>(conn: &mut C, table: &Table, conditions: &[String]) -> Result<(), GuardError>
where
    C: DialectConnection<Backend: GuardWriter>,
{
    // `NULL` passes, as in a CHECK.
    let counts =
        conditions.iter().map(|passes| format!("CAST(COUNT(CASE WHEN NOT ({passes}) THEN 1 END) AS CHAR(20))"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let from = quoted_table::<C::Backend>(&table.name);
    let mut row: Fields = Sql::new(format!("SELECT {counts} FROM {from}")).get_result(conn)?;
    for (index, column) in table.columns.iter().enumerate() {
        let count: u64 = row.take(index).and_then(|count| count.trim().parse().ok()).ok_or(DieselError::NotFound)?;
        if count == 0 {
            continue;
        }
        let name = table.name.clone();
        let refusal = match C::Backend::of_another_type(conn, table, column)? {
            Some((count, sql)) => GuardRefusal::OtherType { table: name, column: column.name.clone(), count, sql },
            None => {
                let named = table.named.clone();
                GuardRefusal::NotTokens { table: name, named, column: column.name.clone(), count }
            }
        };
        return Err(refusal.into());
    }
    Ok(())
}
