//! The columns that are to be guarded, as the catalogue knows them.

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::dialect::{CatalogueReader, Dialect, Language};
use crate::database::quote::quoted_table;
use crate::database::sql::{Conn, Fields, Sql};
use crate::fields::column::Form;
use crate::guard::error::{GuardError, Refusal};
use crate::guard::find;
use crate::guard::migration::{GuardMigration, Way};
use crate::targets::{TableName, Target};

/// A backend for which guards are written: Diesel's `Pg`, `Mysql` and `Sqlite`, each with its feature. Sealed, as
/// [`Dialect`] is.
///
/// The methods are not part of the public interface.
pub trait GuardWriter: Dialect {
    /// The condition of each column's guard.
    #[doc(hidden)]
    fn conditions<C: Conn<Self>>(conn: &mut C, table: &Table) -> QueryResult<Vec<String>>;

    /// How many values of a column would pass its condition as another type of the database, if they are kept as that;
    /// and the statement that does it.
    #[doc(hidden)]
    fn of_another_type<C: Conn<Self>>(
        _conn: &mut C,
        _table: &Table,
        _column: &Column,
    ) -> QueryResult<Option<(u64, String)>> {
        Ok(None)
    }

    /// Whether what keeps the task from a table keeps guards from it, too: why, if so.
    #[doc(hidden)]
    fn obstacle<C: Conn<Self>>(_conn: &mut C, _table: &TableName, of_task: String) -> QueryResult<Option<String>> {
        Ok(Some(of_task))
    }

    /// The migrations of a table whose values pass all `conditions`.
    #[doc(hidden)]
    fn write<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        conditions: &[String],
        way: Way,
    ) -> Result<Vec<GuardMigration>, GuardError>;
}

/// A connection to a database for which guards are written.
pub trait GuardConnection: Connection<Backend: GuardWriter> + LoadConnection {}

impl<C: Connection<Backend: GuardWriter> + LoadConnection> GuardConnection for C {}

/// A table with columns that have no guard yet.
pub struct Table {
    /// With the schema in which it was found.
    pub(crate) name: TableName,
    /// As it was named.
    pub(crate) named: TableName,
    pub(crate) columns: Vec<Column>,
}

/// A column that can hold tokens.
pub struct Column {
    pub(crate) name: String,
    pub(crate) form: Form,
}

impl Table {
    /// `public.users.email`
    pub(crate) fn place(&self, column: &Column) -> String {
        format!("{}.{}", self.name, TableName::new(&column.name))
    }

    /// How the arguments of the program name it.
    fn argument(&self, column: &Column) -> String {
        format!("{}.{}", self.named, TableName::new(&column.name))
    }

    /// The name that a migration gives it: the same on every server, where a schema is a database and its name is not.
    pub(crate) fn written(&self) -> TableName {
        match self.named.schema() {
            Some(_) => self.name.clone(),
            None => TableName::new(self.name.name()),
        }
    }

    /// What tells it from other tables, and its columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let table = self.named.schema().into_iter().chain([self.name.name()]);
        table.chain(self.columns.iter().map(|column| column.name.as_str()))
    }
}

/// Looks up what is to be guarded, table by table, and refuses what cannot be.
pub(crate) fn look_up<C: GuardConnection>(conn: &mut C, targets: &[Target]) -> Result<Vec<Table>, GuardError> {
    let mut tables: Vec<Table> = Vec::new();
    for target in targets {
        let found = find(conn, target)?;
        match tables.iter_mut().find(|table| table.name == found.name) {
            None => tables.push(found),
            Some(table) => {
                for column in found.columns {
                    if !table.columns.iter().any(|known| known.name == column.name) {
                        table.columns.push(column);
                    }
                }
            }
        }
    }
    if tables.is_empty() { Err(Refusal::NoColumns.into()) } else { Ok(tables) }
}

fn find<C: GuardConnection>(conn: &mut C, target: &Target) -> Result<Table, GuardError> {
    let named = target.table();
    let Some(found) = C::Backend::catalogue(conn, named)? else {
        return Err(Refusal::UnknownTable { table: named.clone() }.into());
    };
    let obstacle = found.obstacle.map(|of_task| C::Backend::obstacle(conn, &found.name, of_task)).transpose()?;
    if let Some(reason) = obstacle.flatten() {
        return Err(Refusal::Table { table: found.name, reason }.into());
    }
    let mut table = Table { name: found.name, named: named.clone(), columns: Vec::new() };
    for wanted in target.columns() {
        let is_it = |name: &str| match C::Backend::FOLDS_CASE {
            true => name.eq_ignore_ascii_case(wanted),
            false => name == wanted,
        };
        let Some(column) = found.columns.iter().find(|column| is_it(&column.name)) else {
            let known = found.columns.into_iter().map(|column| column.name).collect();
            return Err(Refusal::UnknownColumn { table: table.name, column: wanted.clone(), known }.into());
        };
        let place = format!("{}.{}", table.name, TableName::new(&column.name));
        if column.is_generated {
            let reason = "it is generated by the database: name the column that it is made from".into();
            return Err(Refusal::Column { place, reason }.into());
        }
        let Some(form) = column.form else {
            let reason = format!("its type is {}, which is not one for text or bytes", column.type_name);
            return Err(Refusal::Column { place, reason }.into());
        };
        if let Some(kind) = find::of(conn, &table.name, &column.name)? {
            return Err(Refusal::IsGuarded { place, kind }.into());
        }
        table.columns.push(Column { name: column.name.clone(), form });
    }
    Ok(table)
}

/// Reads the whole table, and refuses it if the guards would refuse a value.
pub(crate) fn check_values<C: GuardConnection>(
    conn: &mut C,
    table: &Table,
    conditions: &[String],
) -> Result<(), GuardError> {
    // `NULL` passes, as in a CHECK.
    let counts =
        conditions.iter().map(|passes| format!("CAST(COUNT(CASE WHEN NOT ({passes}) THEN 1 END) AS CHAR(20))"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let from = quoted_table::<C::Backend>(&table.name);
    let mut row: Fields = Sql::new(format!("SELECT {counts} FROM {from}")).get_result(conn)?;
    for (index, column) in table.columns.iter().enumerate() {
        let count = row.take(index).and_then(|count| count.trim().parse().ok()).ok_or(DieselError::NotFound)?;
        if count > 0_u64 {
            if let Some((count, sql)) = C::Backend::of_another_type(conn, table, column)? {
                return Err(Refusal::OtherType { place: table.place(column), count, sql }.into());
            }
            let (place, argument) = (table.place(column), table.argument(column));
            return Err(Refusal::NotTokens { place, count, argument }.into());
        }
    }
    Ok(())
}
