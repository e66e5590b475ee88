//! Looks up the columns to guard, and refuses columns that cannot have a guard.

use diesel::result::QueryResult;

use crate::database::{
    CatalogueColumn, CatalogueReader, DialectConnection, GuardKind, GuardLookup, Language, SessionSettings,
};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::refusal::GuardRefusal;
use crate::guard::table::{Column, Table};
use crate::guard::writer::GuardWriter;
use crate::targets::{TableName, Target};

/// Finds the guard of a column. It recognizes the text of a guard in the catalogue, whether the guard comes from the
/// shipped migrations, from [`migrations`](crate::guard::migrations), or was copied from them by hand.
///
/// Returns `None` if there is no such table or column.
///
/// # Errors
///
/// The errors of the database.
pub fn of<C: DialectConnection>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
    C::Backend::pinned(conn, |conn| C::Backend::guard(conn, table, column))
}

/// The tables of these targets, each once, with its columns.
pub(crate) fn look_up<C>(conn: &mut C, targets: &[Target]) -> Result<Vec<Table>, GuardError>
where
    C: DialectConnection<Backend: GuardWriter>,
{
    let mut tables: Vec<Table> = Vec::new();
    for target in targets {
        let found = find(conn, target)?;
        let Some(table) = tables.iter_mut().find(|table| table.name == found.name) else {
            tables.push(found);
            continue;
        };
        for column in found.columns {
            if !table.columns.iter().any(|known| known.name == column.name) {
                table.columns.push(column);
            }
        }
    }
    if tables.is_empty() { Err(GuardRefusal::NoColumns.into()) } else { Ok(tables) }
}

fn find<C>(conn: &mut C, target: &Target) -> Result<Table, GuardError>
where
    C: DialectConnection<Backend: GuardWriter>,
{
    let named = target.table();
    let Some(found) = C::Backend::catalogue(conn, named)? else {
        return Err(GuardRefusal::UnknownTable { table: named.clone() }.into());
    };
    let obstacle = found.obstacle.map(|of_task| C::Backend::obstacle(conn, &found.name, of_task)).transpose()?;
    if let Some(reason) = obstacle.flatten() {
        return Err(GuardRefusal::UnsuitableTable { table: found.name, reason }.into());
    }
    let mut table = Table { name: found.name, named: named.clone(), columns: Vec::new() };
    for wanted in target.columns() {
        let is_wanted = |column: &&CatalogueColumn| {
            if C::Backend::FOLDS_CASE { column.name.eq_ignore_ascii_case(wanted) } else { column.name == *wanted }
        };
        let Some(column) = found.columns.iter().find(is_wanted) else {
            let known = found.columns.into_iter().map(|column| column.name).collect();
            return Err(GuardRefusal::UnknownColumn { table: table.name, column: wanted.clone(), known }.into());
        };
        let form = form(&table.name, column)?;
        let name = column.name.clone();
        if let Some(kind) = of(conn, &table.name, &name)? {
            return Err(GuardRefusal::AlreadyGuarded { table: table.name, column: name, kind }.into());
        }
        table.columns.push(Column { name, form });
    }
    Ok(table)
}

/// The form of the column's tokens, unless the column cannot hold any.
fn form(table: &TableName, column: &CatalogueColumn) -> Result<Form, GuardError> {
    let reason = match column.form {
        _ if column.is_generated => "the database generates it. Name the column that it is computed from".to_owned(),
        Some(_) if column.is_array => {
            "it is an array. Make it an array of the domain: ALTER COLUMN … TYPE encrypted_text[] or encrypted_binary[]"
                .into()
        }
        Some(form) => return Ok(form),
        None => format!("its type is {}, which holds neither text nor bytes", column.type_name),
    };
    Err(GuardRefusal::UnsuitableColumn { table: table.clone(), column: column.name.clone(), reason }.into())
}
