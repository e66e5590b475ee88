//! The guards of a table, and the migration that adds them.

use diesel::result::{Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::quote::quoted;
use crate::database::sqlite::catalogue::{MAIN, columns, create_table};
use crate::database::{Conn, Sql};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::migration::{GuardMigration, Way, default_note, indented};
use crate::guard::names::constraint;
use crate::guard::refusal::GuardRefusal;
use crate::guard::sqlite::create::CreateTable;
use crate::guard::sqlite::rebuild::{self, Rebuild};
use crate::guard::table::{Column, Table};
use crate::guard::writer::GuardWriter;
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::sqlite::{BEGINS, BINARY, TEXT};

impl GuardWriter for Sqlite {
    fn conditions<C: Conn<Self>>(conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let known = columns(conn, MAIN, table.name.name())?;
        let condition = |column: &Column| {
            let is_not_null = known.iter().any(|known| known.name == column.name && known.is_not_null);
            condition(column.form, is_not_null, &quoted::<Sqlite>(&column.name))
        };
        Ok(table.columns.iter().map(condition).collect())
    }

    /// A column of SQLite stores values of any type, and some programs write another type. Python's `Fernet.encrypt`,
    /// for example, returns bytes.
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
        if way == Way::Domain {
            return Err(table.without_domains().into());
        }
        if way == Way::Online {
            let reason = "SQLite adds a CHECK only by creating the table again".to_owned();
            return Err(table.not_online(None, reason).into());
        }
        if table.name.schema().is_some_and(|schema| !schema.eq_ignore_ascii_case("main")) {
            let reason = "a migration sees only the database `main`".to_owned();
            return Err(GuardRefusal::UnsuitableTable { table: table.name.clone(), reason }.into());
        }
        let guards = table.columns.iter().zip(conditions).map(|(column, condition)| {
            let name = quoted::<Sqlite>(&constraint(table.name.name(), &column.name));
            format!("CONSTRAINT {name} CHECK (\n{}\n    )", indented(condition))
        });
        let guards: Vec<String> = guards.collect();
        let by_hand = |reason: &str| {
            let table = table.name.clone();
            Err(GuardRefusal::NotRebuilt { table, reason: reason.into(), constraints: guards.clone() }.into())
        };
        let sql = create_table(conn, MAIN, table.name.name())?.ok_or(DieselError::NotFound)?;
        let Some(create) = CreateTable::parse(&sql) else {
            return by_hand("its CREATE TABLE is not understood");
        };
        if !keeps_its_columns(conn, table, &create, &guards)? {
            return by_hand("its CREATE TABLE with the guards creates a different table");
        }
        let rebuild = Rebuild::of(conn, table, &create)?;
        let up = format!(
            "-- The database refuses every value that is not a Fernet token in {}.\n\n{}",
            table.places(),
            rebuild.up(&create, &guards)
        );
        let down = format!("-- The table without the guards.\n\n{}", rebuild.down(&create, &guards));
        let mut this = GuardMigration::of(table, up, down);
        // The setting for foreign keys cannot change within a transaction.
        this.in_transaction = false;
        this.notes = notes(table, &rebuild);
        Ok(vec![this])
    }
}

fn notes(table: &Table, rebuild: &Rebuild) -> Vec<String> {
    let name = &table.name;
    let mut notes = vec![
        format!(
            "{name}: the migration copies the table ({} rows) in one transaction, all or nothing. Until it ends, nobody \
             else writes to the database. Readers continue, except at its end if the database does not use WAL. It takes \
             the same space on the disk once more",
            rebuild.rows
        ),
        format!(
            "{name}: up.sql and down.sql contain the table as it is now, with its indexes, its triggers and the tables that \
             refer to it. If something else has changed it, they fail and change nothing. Then write the migration again"
        ),
    ];
    if rebuild.has_foreign_keys() {
        notes.push(format!(
            "{name}: the migration switches foreign keys off on its connection, and on at its end. If it fails, close the \
             connection, because foreign keys are still off on it"
        ));
    }
    for column in &table.columns {
        if rebuild.columns.iter().any(|known| known.name == column.name && known.default.is_some()) {
            notes.push(default_note(table, column));
        }
    }
    notes.push(
        "The error of a refused value does not show the value. PRAGMA ignore_check_constraints switches the guards off"
            .into(),
    );
    notes
}

/// Whether the new table has the columns of the old one. It is created once, as a temporary table.
fn keeps_its_columns<C: Conn<Sqlite>>(
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
