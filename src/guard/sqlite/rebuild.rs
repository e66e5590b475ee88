//! A table made anew: <https://www.sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes>

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use super::create::CreateTable;
use super::{KnownColumn, columns};
use crate::guard::error::{GuardError, Refusal};
use crate::guard::names::quoted;
use crate::guard::table::Table;
use crate::reencrypt::{Fields, Sql};
use crate::words::words;

/// What the new table takes over.
pub(super) struct Rebuild {
    table: String,
    pub(super) columns: Vec<KnownColumn>,
    /// A name of the row id, where it is no column.
    row_id: Option<&'static str>,
    /// Whether SQLite keeps the highest row id that was ever given.
    is_counted: bool,
    /// The statements that made its indexes and triggers, in the order in which they were made.
    made: Vec<String>,
    /// The tables with foreign keys that lead here, and this one if it has any.
    referring: Vec<String>,
    has_statistics: bool,
    pub(super) rows: String,
}

/// The name of the new table until the old one is gone.
pub(super) fn new_name(table: &str) -> String {
    format!("__diesel_encrypted_{table}")
}

impl Rebuild {
    pub(super) fn of<C>(conn: &mut C, table: &Table, create: &CreateTable<'_>) -> Result<Self, GuardError>
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        let found = &table.name;
        let table = found.name().to_owned();
        let columns = columns(conn, "main", &table)?;
        let keys: Vec<&KnownColumn> = columns.iter().filter(|column| column.key != "0").collect();
        let is_column = matches!(keys.as_slice(), [key] if key.declared.eq_ignore_ascii_case("INTEGER"));
        let is_free = |id: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(id));
        let row_id = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM main.{}", quoted(&table, '"'));
        let this = Self {
            row_id: row_id.filter(|_| create.has_row_ids && !is_column),
            is_counted: create.is_counted,
            made: texts(conn, Sql::new(MADE).bind(&table))?,
            referring: texts(conn, Sql::new(REFERRING).bind(&table).bind(&table))?,
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

    pub(super) fn has_foreign_keys(&self) -> bool {
        !self.referring.is_empty()
    }

    /// Makes the table anew with these constraints. Wherever a row or a count may be refused, the refusal ends the
    /// transaction: the connection may be that of an application.
    pub(super) fn script(&self, create: &CreateTable<'_>, constraints: &[String]) -> String {
        let new = new_name(&self.table);
        let create = create.with(&new, constraints);
        let (name, new) = (quoted(&self.table, '"'), quoted(&new, '"'));
        let stored = self.columns.iter().filter(|column| !column.is_generated).map(|column| quoted(&column.name, '"'));
        let copied = self.row_id.map(str::to_owned).into_iter().chain(stored).collect::<Vec<_>>().join(", ");
        let broken = self.broken_references();
        let mut parts = vec![
            "BEGIN IMMEDIATE;".to_owned(),
            format!("{create};"),
            format!(
                "CREATE TABLE {CHECKS} (\n    broken_references INTEGER,\n    \
                 every_row_was_copied INTEGER CHECK (every_row_was_copied),\n    \
                 every_reference_holds INTEGER CHECK (every_reference_holds)\n);\n\
                 INSERT INTO {CHECKS} (broken_references) VALUES ({broken});"
            ),
            format!("INSERT OR ROLLBACK INTO {new} ({copied})\n    SELECT {copied} FROM {name};"),
            format!(
                "UPDATE OR ROLLBACK {CHECKS} SET every_row_was_copied =\n    \
                 (SELECT count(*) FROM {new}) = (SELECT count(*) FROM {name});"
            ),
        ];
        if self.is_counted {
            let (name, new) = (quoted(&self.table, '\''), quoted(&new_name(&self.table), '\''));
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
            "UPDATE OR ROLLBACK {CHECKS} SET every_reference_holds = {broken} = broken_references;\n\
             DROP TABLE {CHECKS};\n\
             COMMIT;"
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

    /// How many references lead nowhere, as an expression.
    fn broken_references(&self) -> String {
        let counts = self
            .referring
            .iter()
            .map(|table| format!("(SELECT count(*) FROM pragma_foreign_key_check({}))", quoted(table, '\'')));
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

fn texts<C>(conn: &mut C, sql: Sql<'_>) -> QueryResult<Vec<String>>
where
    C: Connection<Backend = Sqlite> + LoadConnection,
{
    let rows: Vec<Fields> = sql.load(conn)?;
    Ok(rows.into_iter().filter_map(|mut row| row.take(0)).collect())
}

/// What `ANALYZE` found goes with the table.
fn has_statistics<C>(conn: &mut C, table: &str) -> QueryResult<bool>
where
    C: Connection<Backend = Sqlite> + LoadConnection,
{
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
