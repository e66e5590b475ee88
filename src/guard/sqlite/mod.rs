//! SQLite: a CHECK in a table that is made anew.

mod create;
mod rebuild;

use diesel::result::{Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::quote::quoted;
use crate::database::sql::{Conn, Sql};
use crate::database::sqlite::catalogue::{KnownColumn, MAIN, columns, create_table};
use crate::fields::column::Form;
use crate::guard::error::{GuardError, Refusal};
use crate::guard::migration::{GuardMigration, Way, indented, places};
use crate::guard::names::constraint;
use crate::guard::table::{Column, GuardWriter, Table};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::sqlite::{BEGINS, BINARY, TEXT};
use create::CreateTable;
use rebuild::Rebuild;

impl GuardWriter for Sqlite {
    fn conditions<C: Conn<Self>>(conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let known = columns(conn, MAIN, table.name.name())?;
        let condition = |column: &Column| {
            let is_not_null = known.iter().any(|known| known.name == column.name && known.is_not_null);
            condition(column.form, is_not_null, &quoted::<Sqlite>(&column.name))
        };
        Ok(table.columns.iter().map(condition).collect())
    }

    /// Python's `Fernet.encrypt`, for one, returns bytes, and a column takes what it is given.
    fn of_another_type<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        column: &Column,
    ) -> QueryResult<Option<(u64, String)>> {
        let (table, name) = (quoted::<Sqlite>(table.name.name()), quoted::<Sqlite>(&column.name));
        let (kept, wanted) = match column.form {
            Form::Text => ("blob", "TEXT"),
            Form::Binary => ("text", "BLOB"),
        };
        let value = format!("CAST({name} AS {wanted})");
        let is_token = condition(column.form, true, &value);
        let sql = format!(
            "SELECT CAST(count(*) AS TEXT) FROM main.{table} WHERE typeof({name}) = '{kept}' AND (\n{is_token}\n)"
        );
        let count = Sql::new(sql).first(conn)?.and_then(|count| count.parse().ok());
        let begins = filled(BEGINS, &name);
        let update = format!("UPDATE {table} SET {name} = {value} WHERE typeof({name}) = '{kept}' AND {begins}");
        Ok(count.filter(|count| *count > 0).map(|count| (count, update)))
    }

    fn write<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        conditions: &[String],
        way: Way,
    ) -> Result<Vec<GuardMigration>, GuardError> {
        if way == Way::Online {
            let reason = "SQLite adds a CHECK to no table but a new one. Without --online the migration makes that";
            return Err(Refusal::NotOnline { reason: reason.into() }.into());
        }
        let refuse = |reason: String| GuardError::from(Refusal::Table { table: table.name.clone(), reason });
        if table.name.schema().is_some_and(|schema| !schema.eq_ignore_ascii_case("main")) {
            return Err(refuse("a migration sees the database `main` only".into()));
        }
        let guards = table.columns.iter().zip(conditions).map(|(column, condition)| {
            let name = quoted::<Sqlite>(&constraint(table.name.name(), &column.name));
            format!("CONSTRAINT {name} CHECK (\n{}\n    )", indented(condition))
        });
        let guards: Vec<String> = guards.collect();
        let by_hand = |reason: &str| {
            refuse(format!("{reason}. Make the table anew by hand, with this in it:\n\n    {}", guards.join(",\n    ")))
        };
        let sql = create_table(conn, MAIN, table.name.name())?.ok_or(DieselError::NotFound)?;
        let Some(create) = CreateTable::parse(&sql) else {
            return Err(by_hand("its CREATE TABLE is not understood"));
        };
        if !is_remade(conn, table, &create, &guards)? {
            return Err(by_hand("a table that is made of its CREATE TABLE and the guards is not the same"));
        }
        let rebuild = Rebuild::of(conn, table, &create)?;
        let up = format!(
            "-- The database refuses what is not a Fernet token in {}.\n\n{}",
            places(table),
            rebuild.up(&create, &guards)
        );
        let down = format!("-- The table without the guards.\n\n{}", rebuild.down(&create, &guards));
        let mut this = GuardMigration::of(table, up, down);
        // The setting for foreign keys cannot change within one.
        this.in_transaction = false;
        this.notes = notes(table, &rebuild);
        Ok(vec![this])
    }
}

fn notes(table: &Table, rebuild: &Rebuild) -> Vec<String> {
    let name = &table.name;
    let mut notes = vec![
        format!(
            "{name}: the table is copied ({} rows) in one transaction, all or nothing. Until it ends nobody else \
             writes to the database; readers go on, but for the end of it without WAL. It takes as much disk again",
            rebuild.rows
        ),
        format!(
            "{name}: up.sql and down.sql know the table as it is now, with its indexes, its triggers and the tables that \
             refer to it. When something else has changed it they fail and leave it as it is: then write the migration \
             anew"
        ),
    ];
    if rebuild.has_foreign_keys() {
        notes.push(format!(
            "{name}: foreign keys are switched off for that time on the connection of the migration, and on at its \
             end. If it fails, close the connection: they are off"
        ));
    }
    for column in &table.columns {
        let has_default = |known: &KnownColumn| known.name == column.name && known.default.is_some();
        if rebuild.columns.iter().any(has_default) {
            notes.push(format!(
                "{}: has a default, which stays; unless that is a token, an INSERT that relies on it is refused",
                table.place(column)
            ));
        }
    }
    notes.push(
        "The error of a refused value does not show it. PRAGMA ignore_check_constraints turns the guards off".into(),
    );
    notes
}

/// That the new table has the columns of the old one: it is made once, in the database of this connection alone.
fn is_remade<C: Conn<Sqlite>>(
    conn: &mut C,
    table: &Table,
    create: &CreateTable<'_>,
    guards: &[String],
) -> QueryResult<bool> {
    let name = rebuild::new_name(table.name.name());
    let sql = create.with(&name, guards).replacen("TABLE", "TEMP TABLE", 1);
    if conn.batch_execute(&sql).is_err() {
        return Ok(false);
    }
    let is_same = columns(conn, "temp", &name)? == columns(conn, MAIN, table.name.name())?;
    conn.batch_execute(&format!("DROP TABLE temp.{}", quoted::<Sqlite>(&name)))?;
    Ok(is_same)
}

fn condition(form: Form, is_not_null: bool, name: &str) -> String {
    let (kind, rest) = match form {
        Form::Text => ("text", TEXT),
        Form::Binary => ("blob", BINARY),
    };
    let kinds = if is_not_null { format!("= '{kind}'") } else { format!("IN ('{kind}', 'null')") };
    filled(&format!("typeof(VALUE) {kinds}\n{rest}"), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_are_those_of_the_shipped_migration() {
        let shipped = include_str!("../../../migrations/sqlite/2026-11-23-000100_create_people/up.sql");
        for (form, is_not_null, name) in
            [(Form::Text, true, "email"), (Form::Text, false, "phone"), (Form::Binary, false, "photo")]
        {
            let condition = indented(&condition(form, is_not_null, name));
            assert!(shipped.contains(&format!("CHECK (\n{condition}\n    )")), "{condition}");
        }
        assert_eq!(shipped.matches("CONSTRAINT").count(), 3);
    }
}
