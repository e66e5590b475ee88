//! A table made anew: <https://www.sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes>

use diesel::result::{Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::quote::{literal, quoted};
use crate::database::sql::{Conn, Sql};
use crate::database::sqlite::catalogue::{KnownColumn, MAIN, columns};
use crate::database::words::words;
use crate::guard::error::{GuardError, Refusal};
use crate::guard::sqlite::create::CreateTable;
use crate::guard::table::Table;

/// What the new table takes over.
pub(crate) struct Rebuild {
    table: String,
    pub(crate) columns: Vec<KnownColumn>,
    /// A name of the row id, where it is no column.
    row_id: Option<&'static str>,
    /// Whether SQLite keeps the highest row id that was ever given.
    is_counted: bool,
    /// The statements that made its indexes and triggers, in the order in which they were made.
    made: Vec<String>,
    /// The tables with foreign keys that lead here, and this one if it has any.
    referring: Vec<String>,
    has_statistics: bool,
    pub(crate) rows: String,
}

/// The name of the new table until the old one is gone.
pub(crate) fn new_name(table: &str) -> String {
    format!("__diesel_encrypted_{table}")
}

impl Rebuild {
    pub(crate) fn of<C: Conn<Sqlite>>(
        conn: &mut C,
        table: &Table,
        create: &CreateTable<'_>,
    ) -> Result<Self, GuardError> {
        let found = &table.name;
        let table = found.name().to_owned();
        let columns = columns(conn, MAIN, &table)?;
        let keys: Vec<&KnownColumn> = columns.iter().filter(|column| column.key > 0).collect();
        let is_column = matches!(keys.as_slice(), [key] if key.declared.eq_ignore_ascii_case("INTEGER"));
        let is_free = |id: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(id));
        let row_id = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM main.{}", quoted::<Sqlite>(&table));
        let this = Self {
            row_id: row_id.filter(|_| create.has_row_ids && !is_column),
            is_counted: create.is_counted,
            made: Sql::new(MADE).bind(&table).column(conn)?,
            referring: Sql::new(REFERRING).bind(&table).bind(&table).column(conn)?,
            has_statistics: has_statistics(conn, &table)?,
            rows: Sql::new(count).first(conn)?.ok_or(DieselError::NotFound)?,
            columns,
            table,
        };
        // An error now, and not in the middle of the migration.
        let followed = Sql::new(format!("SELECT CAST({} AS TEXT)", this.broken_references())).first(conn);
        if let Err(error) = followed {
            let reason = format!("SQLite cannot follow its foreign keys, or those that lead to it: {error}");
            return Err(Refusal::Table { table: found.clone(), reason }.into());
        }
        Ok(this)
    }

    pub(crate) fn has_foreign_keys(&self) -> bool {
        !self.referring.is_empty()
    }

    /// Puts these constraints on the table that is made by `create`.
    pub(crate) fn up(&self, create: &CreateTable<'_>, constraints: &[String]) -> String {
        // A migration that was reverted left it with its name in quotes.
        let was = [create.sql.to_owned(), create.with(&self.table, &[])];
        let changed = format!(
            "{} has changed since this migration was written and stays as it is: delete this migration, and write it \
             anew",
            self.table
        );
        self.script(&was, create, constraints, &changed)
    }

    /// Takes them away again.
    pub(crate) fn down(&self, create: &CreateTable<'_>, constraints: &[String]) -> String {
        let was = [create.with(&self.table, constraints)];
        let changed = format!(
            "{} has changed since this migration was run and stays as it is: revert what changed it first, or make it \
             anew without the guard by hand",
            self.table
        );
        self.script(&was, create, &[], &changed)
    }

    /// Makes the table anew with these constraints if it `was` as it is known, and tells that it `changed` otherwise.
    ///
    /// Wherever a row or a count may be refused, the refusal ends the transaction: the connection may be that of an
    /// application. Others go on behind an error, as the program `sqlite3` does. They go on in a transaction, too, which
    /// the last check ends.
    fn script(&self, was: &[String], create: &CreateTable<'_>, constraints: &[String], changed: &str) -> String {
        let becomes = create.with(&self.table, constraints);
        let new = new_name(&self.table);
        let create = create.with(&new, constraints);
        let (name, new) = (quoted::<Sqlite>(&self.table), quoted::<Sqlite>(&new));
        let stored =
            self.columns.iter().filter(|column| !column.is_generated).map(|column| quoted::<Sqlite>(&column.name));
        let copied = self.row_id.map(str::to_owned).into_iter().chain(stored).collect::<Vec<_>>().join(", ");
        let (broken, changed) = (self.broken_references(), quoted::<Sqlite>(changed));
        let mut parts = vec![
            format!(
                "DROP TABLE IF EXISTS {CHECKS};\n\
                 CREATE TABLE {CHECKS} (\n    \
                 the_table_is_as_it_was INTEGER\n        CONSTRAINT {changed}\n        \
                 CHECK (the_table_is_as_it_was),\n    \
                 broken_references INTEGER,\n    \
                 every_row_was_copied INTEGER CHECK (every_row_was_copied),\n    \
                 every_reference_holds INTEGER CHECK (every_reference_holds),\n    \
                 every_step_was_done INTEGER CHECK (every_step_was_done)\n);\n\
                 INSERT INTO {CHECKS} DEFAULT VALUES;"
            ),
            "BEGIN IMMEDIATE;".to_owned(),
            format!(
                "-- What is not known here would be lost.\n\
                 UPDATE OR ROLLBACK {CHECKS} SET the_table_is_as_it_was =\n    {}\n    AND {};\n\
                 -- Here and below: whoever goes on behind an error does so in a transaction, which then ends in vain.\n\
                 {SAVEPOINT}",
                self.is_as(was),
                self.is_referred_to_as_before()
            ),
            format!("UPDATE {CHECKS} SET broken_references = {broken};"),
            ended(&create),
            format!("INSERT OR ROLLBACK INTO {new} ({copied})\n    SELECT {copied} FROM {name};\n{SAVEPOINT}"),
            format!(
                "UPDATE OR ROLLBACK {CHECKS} SET every_row_was_copied =\n    \
                 (SELECT count(*) FROM {new}) = (SELECT count(*) FROM {name});\n{SAVEPOINT}"
            ),
        ];
        if self.is_counted {
            let (name, new) = (literal(&self.table), literal(&new_name(&self.table)));
            parts.push(format!(
                "DELETE FROM sqlite_sequence WHERE name = {new};\n\
                 INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {name};"
            ));
        }
        parts.push(format!(
            "DROP TABLE {name};\n\
             -- As it was once: views and triggers that speak of the table are left alone.\n\
             PRAGMA legacy_alter_table = ON;\n\
             ALTER TABLE {new} RENAME TO {name};\n\
             PRAGMA legacy_alter_table = OFF;"
        ));
        parts.extend(self.made.iter().map(|statement| ended(statement)));
        if self.has_statistics {
            parts.push(format!("ANALYZE {name};"));
        }
        parts.push(format!(
            "UPDATE OR ROLLBACK {CHECKS} SET every_reference_holds = {broken} = broken_references;\n{SAVEPOINT}\n\
             UPDATE OR ROLLBACK {CHECKS} SET every_step_was_done =\n    \
             coalesce(the_table_is_as_it_was AND every_row_was_copied AND every_reference_holds, 0)\n    AND {};\n\
             DROP TABLE {CHECKS};\n\
             COMMIT;",
            self.is_as(&[becomes])
        ));
        if self.has_foreign_keys() {
            parts.insert(
                0,
                "-- Otherwise DROP TABLE would delete what refers to the rows, or fail.\nPRAGMA foreign_keys = OFF;"
                    .into(),
            );
            parts.push("PRAGMA foreign_keys = ON;".into());
        }
        parts.join("\n\n") + "\n"
    }

    /// Whether the table is what one of these statements makes, with the indexes and triggers that are known of it, as an
    /// expression.
    fn is_as(&self, tables: &[String]) -> String {
        let known = tables.iter().chain(&self.made);
        let known: Vec<String> = known.map(|text| literal(text.trim_end_matches(BLANKS))).collect();
        let (count, name) = (1 + self.made.len(), literal(&self.table));
        format!(
            "(SELECT count(*) = {count} AND total(rtrim(sql, char(9, 10, 13, 32)) IN (\n{}\n    )) = {count}\n    \
             FROM main.sqlite_master WHERE tbl_name = {name} COLLATE NOCASE AND sql IS NOT NULL)",
            known.join(",\n")
        )
    }

    /// Whether the foreign keys that lead here come from the tables that are known, as an expression.
    fn is_referred_to_as_before(&self) -> String {
        let (count, name) = (self.referring.len(), literal(&self.table));
        let known: Vec<String> = self.referring.iter().map(|table| literal(table)).collect();
        format!(
            "(SELECT count(*) = {count} AND total(name IN ({})) = {count} FROM (\n        {}\n    ))",
            known.join(", "),
            REFERRING.replace('?', &name)
        )
    }

    /// How many references lead nowhere, as an expression.
    fn broken_references(&self) -> String {
        let counts = self
            .referring
            .iter()
            .map(|table| format!("(SELECT count(*) FROM pragma_foreign_key_check({}))", literal(table)));
        let counts: Vec<String> = counts.collect();
        if counts.is_empty() { "0".into() } else { format!("({})", counts.join(" + ")) }
    }
}

/// The semicolon must not become part of a comment. A line break in vain would become part of what SQLite keeps.
fn ended(statement: &str) -> String {
    let ended = format!("{statement};");
    let is_ended = words(&ended).is_some_and(|words| words.last().is_some_and(|word| word.is(";")));
    if is_ended { ended } else { format!("{statement}\n;") }
}

const CHECKS: &str = "temp.__diesel_encrypted_checks";
const SAVEPOINT: &str = "SAVEPOINT __diesel_encrypted;";

/// What [`ended`] may have put behind a statement, and the like.
const BLANKS: [char; 4] = ['\t', '\n', '\r', ' '];

/// What `ANALYZE` found goes with the table.
fn has_statistics<C: Conn<Sqlite>>(conn: &mut C, table: &str) -> QueryResult<bool> {
    let exists = Sql::new("SELECT name FROM main.sqlite_master WHERE name = 'sqlite_stat1'").first(conn)?;
    let Some(_) = exists else { return Ok(false) };
    Ok(Sql::new("SELECT tbl FROM main.sqlite_stat1 WHERE tbl = ?").bind(table).first(conn)?.is_some())
}

const MADE: &str = "\
    SELECT sql FROM main.sqlite_master \
    WHERE type IN ('index', 'trigger') AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid";

const REFERRING: &str = "\
    SELECT DISTINCT m.name FROM main.sqlite_master m, pragma_foreign_key_list(m.name) f \
    WHERE m.type = 'table' AND (f.\"table\" = ? COLLATE NOCASE OR m.name = ?) ORDER BY 1";
