//! A table that is created again: <https://www.sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes>

use diesel::result::{Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use crate::database::quote::{literal, quoted};
use crate::database::sqlite::catalogue::{KnownColumn, MAIN, columns};
use crate::database::words::words;
use crate::database::{Conn, Sql};
use crate::guard::error::GuardError;
use crate::guard::refusal::GuardRefusal;
use crate::guard::sqlite::create::CreateTable;
use crate::guard::table::Table;

/// A table and everything that the script must keep of it.
pub(crate) struct Rebuild {
    table: String,
    pub(crate) columns: Vec<KnownColumn>,
    /// A name of the row id, unless a column holds it.
    row_id: Option<&'static str>,
    /// Whether SQLite stores the highest row id that it ever used.
    is_counted: bool,
    /// The statements that created its indexes and triggers, in order of creation.
    made: Vec<String>,
    /// The tables with foreign keys that refer to this table, and this table if it has foreign keys.
    referring: Vec<String>,
    has_statistics: bool,
    pub(crate) rows: String,
}

/// The name of the new table until the old one is dropped.
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
        // An error now is better than an error in the middle of the migration.
        let checked = Sql::new(format!("SELECT CAST({} AS TEXT)", this.broken_references())).first(conn);
        if let Err(error) = checked {
            let reason = format!("SQLite cannot check its foreign keys, or the foreign keys that refer to it: {error}");
            return Err(GuardRefusal::UnsuitableTable { table: found.clone(), reason }.into());
        }
        Ok(this)
    }

    pub(crate) fn has_foreign_keys(&self) -> bool {
        !self.referring.is_empty()
    }

    /// The script that adds these constraints to the table of `create`.
    pub(crate) fn up(&self, create: &CreateTable<'_>, constraints: &[String]) -> String {
        // After a revert, the statement has the name of the table in quotes.
        let was = [create.sql.to_owned(), create.with(&self.table, &[])];
        let changed = format!(
            "{} has changed since this migration was written and stays as it is: delete this migration, and write it \
             again",
            self.table
        );
        self.script(&was, create, constraints, &changed)
    }

    /// The script that drops these constraints again.
    pub(crate) fn down(&self, create: &CreateTable<'_>, constraints: &[String]) -> String {
        let was = [create.with(&self.table, constraints)];
        let changed = format!(
            "{} has changed since this migration was run and stays as it is: revert that change first, or create the \
             table again by hand without the guard",
            self.table
        );
        self.script(&was, create, &[], &changed)
    }

    /// The script that creates the table again with these constraints, if its statement is one of `was`. Otherwise, the
    /// script fails with the message `changed`.
    ///
    /// Wherever a check can fail, the failure rolls the transaction back, because an application may use the connection
    /// afterwards. Some clients continue after an error, for example the program `sqlite3`. Their statements run in a
    /// transaction too, and the last check rolls it back.
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
                "-- The new table would lose anything that this script does not know.\n\
                 UPDATE OR ROLLBACK {CHECKS} SET the_table_is_as_it_was =\n    {}\n    AND {};\n\
                 -- Here and below: a client that continues after an error is then in a transaction, which fails at its end.\n\
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
             -- With this setting, the rename does not change the views and triggers that name the table.\n\
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
                "-- Otherwise DROP TABLE would delete the rows that refer to this table, or fail.\n\
                 PRAGMA foreign_keys = OFF;"
                    .into(),
            );
            parts.push("PRAGMA foreign_keys = ON;".into());
        }
        parts.join("\n\n") + "\n"
    }

    /// An SQL expression that is true if the table comes from one of these statements, and has exactly the known
    /// indexes and triggers.
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

    /// An SQL expression that is true if exactly the known tables refer to this one by foreign keys.
    fn is_referred_to_as_before(&self) -> String {
        let (count, name) = (self.referring.len(), literal(&self.table));
        let known: Vec<String> = self.referring.iter().map(|table| literal(table)).collect();
        format!(
            "(SELECT count(*) = {count} AND total(name IN ({})) = {count} FROM (\n        {}\n    ))",
            known.join(", "),
            REFERRING.replace('?', &name)
        )
    }

    /// An SQL expression for the number of broken references.
    fn broken_references(&self) -> String {
        let counts = self
            .referring
            .iter()
            .map(|table| format!("(SELECT count(*) FROM pragma_foreign_key_check({}))", literal(table)));
        let counts: Vec<String> = counts.collect();
        if counts.is_empty() { "0".into() } else { format!("({})", counts.join(" + ")) }
    }
}

/// The statement with a semicolon, which must not become part of a comment. It adds a line break only if necessary,
/// because SQLite would store it.
fn ended(statement: &str) -> String {
    let ended = format!("{statement};");
    let is_ended = words(&ended).is_some_and(|words| words.last().is_some_and(|word| word.is(";")));
    if is_ended { ended } else { format!("{statement}\n;") }
}

const CHECKS: &str = "temp.__diesel_encrypted_checks";
const SAVEPOINT: &str = "SAVEPOINT __diesel_encrypted;";

/// Characters that [`ended`] or another program may have added to a statement.
const BLANKS: [char; 4] = ['\t', '\n', '\r', ' '];

/// Whether `ANALYZE` has run on the table. SQLite drops its results with the table.
fn has_statistics<C: Conn<Sqlite>>(conn: &mut C, table: &str) -> QueryResult<bool> {
    let exists = Sql::new("SELECT name FROM main.sqlite_master WHERE name = 'sqlite_stat1'").first(conn)?;
    if exists.is_none() {
        return Ok(false);
    }
    Ok(Sql::new("SELECT tbl FROM main.sqlite_stat1 WHERE tbl = ?").bind(table).first(conn)?.is_some())
}

const MADE: &str = "\
    SELECT sql FROM main.sqlite_master \
    WHERE type IN ('index', 'trigger') AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid";

const REFERRING: &str = "\
    SELECT DISTINCT m.name FROM main.sqlite_master m, pragma_foreign_key_list(m.name) f \
    WHERE m.type = 'table' AND (f.\"table\" = ? COLLATE NOCASE OR m.name = ?) ORDER BY 1";
