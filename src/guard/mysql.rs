//! MySQL and MariaDB: a CHECK of the table, or a CHECK of the column, which MariaDB adds without copying the table.

use diesel::RunQueryDsl;
use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::mysql::server::{is_mariadb, show_create};
use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Fields, Sql};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::migration::{GuardMigration, Way, alter, default_note, indented};
use crate::guard::names::constraint;
use crate::guard::table::{Column, Table};
use crate::guard::writer::GuardWriter;
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::mysql::{TEXT, TEXT_AS_BYTES, binary};

impl GuardWriter for Mysql {
    fn conditions<C: Conn<Self>>(conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let condition = |column: &Column| {
            let name = quoted::<Mysql>(&column.name);
            Ok(match column.form {
                Form::Binary => filled(&binary(), &name),
                Form::Text if Known::of(conn, table, column)?.is_ascii() => filled(TEXT, &name),
                // Other collations treat different letters as equal. A conversion to ASCII would fail, and its error
                // would show the value.
                Form::Text => filled(TEXT_AS_BYTES, &format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)")),
            })
        };
        table.columns.iter().map(condition).collect()
    }

    fn write<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        conditions: &[String],
        way: Way,
    ) -> Result<Vec<GuardMigration>, GuardError> {
        let is_mariadb = is_mariadb(conn)?;
        let mut notes = Vec::new();
        for column in &table.columns {
            notes.extend(Known::of(conn, table, column)?.notes(table, column));
        }
        notes.push(
            "The error of a refused value does not show the value, except for the bytes of a character that the column's \
             character set does not contain"
                .into(),
        );
        if is_mariadb {
            notes.push("The guards do not check a session with check_constraint_checks = 0".into());
        }
        if way == Way::Check && is_mariadb {
            refuse_taken_names(conn, table)?;
        }
        let mut migrations = match way {
            Way::Domain => return Err(table.without_domains().into()),
            Way::Check => vec![at_once(table, conditions, is_mariadb, &size(conn, table)?)],
            Way::Online if is_mariadb => online(conn, table, conditions)?,
            Way::Online => {
                let reason = "MySQL copies the table to add a CHECK, and writers wait. For large tables, \
                    pt-online-schema-change and gh-ost can run the ADD CONSTRAINT of a guard that is not online";
                return Err(table.not_online(None, reason.into()).into());
            }
        };
        if let Some(last) = migrations.last_mut() {
            last.notes.extend(notes);
        }
        for migration in &mut migrations {
            for statements in [&mut migration.up, &mut migration.down] {
                *statements = in_plain_mode(statements);
            }
        }
        Ok(migrations)
    }
}

fn at_once(table: &Table, conditions: &[String], is_mariadb: bool, size: &str) -> GuardMigration {
    // If the connection breaks before Diesel records the migration, the second run must not fail.
    let (unless_there, if_there) = if is_mariadb { (" IF NOT EXISTS", " IF EXISTS") } else { ("", "") };
    let name = |column: &Column| quoted::<Mysql>(&constraint(table.name.name(), &column.name));
    let add = table.columns.iter().zip(conditions).map(|(column, condition)| {
        format!("ADD CONSTRAINT{unless_there} {} CHECK (\n{}\n    )", name(column), indented(condition))
    });
    let drop = table.columns.iter().map(|column| format!("DROP CONSTRAINT{if_there} {}", name(column)));
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}.\n{}",
        table.places(),
        alter::<Mysql>(&table.written(), add)
    );
    let mut this = GuardMigration::of(table, up, alter::<Mysql>(&table.written(), drop));
    this.has_online_way = is_mariadb;
    let tools = if is_mariadb {
        ""
    } else {
        ". For large tables, pt-online-schema-change and gh-ost can run the ADD CONSTRAINT of up.sql"
    };
    this.notes.push(format!(
        "{}: ALTER TABLE copies the table ({size}), all or nothing. Readers continue; writers wait until it is done. It \
         takes the same space on the disk once more{tools}",
        table.name
    ));
    this
}

/// Refuses a name that the table already uses. MariaDB would omit the guard without an error, and a revert would then
/// drop the other object of that name.
fn refuse_taken_names<C: Conn<Mysql>>(conn: &mut C, table: &Table) -> Result<(), GuardError> {
    let written = show_create(conn, &table.name)?.to_lowercase();
    for column in &table.columns {
        let name = constraint(table.name.name(), &column.name);
        if written.contains(&quoted::<Mysql>(&name).to_lowercase()) {
            let reason = format!(
                "its table already has a {name}, which is not a guard. Look it up with SHOW CREATE TABLE, and drop or rename \
                 it in an earlier migration"
            );
            return Err(table.unsuitable(column, reason).into());
        }
    }
    Ok(())
}

/// MariaDB adds the CHECK of a column without a copy, and does not check the rows. The second migration checks them.
fn online<C: Conn<Mysql>>(
    conn: &mut C,
    table: &Table,
    conditions: &[String],
) -> Result<Vec<GuardMigration>, GuardError> {
    let refuse = |column: &Column, reason: &str| {
        table.not_online(Some(column), format!("{reason}. A guard that is not online is a CHECK of the table"))
    };
    let written = show_create(conn, &table.name)?;
    let mut definitions = Vec::new();
    for column in &table.columns {
        let definition = definition(&written, &column.name);
        let definition =
            definition.ok_or_else(|| refuse(column, "the output of SHOW CREATE TABLE has an unknown form"))?;
        if definition.contains(" CHECK (") {
            return Err(refuse(column, "it already has a CHECK of its own, and a column can have only one").into());
        }
        definitions.push(definition);
    }
    let guarded = definitions.iter().zip(conditions);
    let up =
        guarded.map(|(definition, condition)| format!("MODIFY {definition} CHECK (\n{}\n    )", indented(condition)));
    let down = definitions.iter().map(|definition| format!("MODIFY {definition}"));
    let at_once = || std::iter::once("ALGORITHM = INSTANT".to_owned());
    let check = check(table, conditions);
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}, from now on.\n\
         -- The definitions of the columns are otherwise unchanged.\n\n\
         -- Fails while a value is not a token: otherwise the guard would refuse the writes of an application that still\n\
         -- writes plaintext.\n{check}\n{}",
        table.places(),
        patiently(table, up.chain(at_once()))
    );
    let mut first = GuardMigration::of(table, up, patiently(table, down.chain(at_once())));
    let size = size(conn, table)?;
    first.notes.push(format!(
        "{}: the first migration reads the table ({size}) once, and changes nothing while a value is not a token. Then \
         ALTER TABLE … MODIFY changes only the definition, and locks the table for a moment (ALGORITHM = INSTANT). \
         It waits for transactions that use the table for 5 s, and everybody else waits behind it. Then it gives up: run \
         it again. Do not change these columns before you run it, because it contains their definitions",
        table.name
    ));
    let up = format!("-- Checks the rows that were written before the guards.\n{check}");
    let mut second = GuardMigration::second(table, up, "DO 0;\n");
    second.notes.push(format!(
        "{}: the second migration reads the table ({size}) once more, and locks nothing. If it fails, the guards still apply to \
         every write, even to another column of a row that does not pass. The status of the column lists those values",
        table.name
    ));
    Ok(vec![first, second])
}

/// A statement that fails if a value of the table does not pass.
fn check(table: &Table, conditions: &[String]) -> String {
    let fails = conditions.iter().map(|passes| format!("NOT (\n{}\n    )", indented(passes)));
    let message = format!("{} holds values that are not tokens: see status", table.named);
    format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {}) INTO @diesel_encrypted_found;\n\
         BEGIN NOT ATOMIC\n    IF @diesel_encrypted_found THEN\n        \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{}';\n    END IF;\nEND;\n",
        quoted_table::<Mysql>(&table.written()),
        fails.collect::<Vec<_>>().join(" OR "),
        literal(&message)
    )
}

/// The statements, so that they mean the same under every `sql_mode`: ANSI_QUOTES, NO_BACKSLASH_ESCAPES and ORACLE change
/// the meaning of quotes, backslashes and `%`.
fn in_plain_mode(statements: &str) -> String {
    let comment: String = statements.split_inclusive('\n').take_while(|line| line.starts_with("--")).collect();
    let statements = statements[comment.len()..].trim_start_matches('\n');
    format!(
        "{comment}\n\
         -- Whatever the sql_mode of the session is, the statements below mean the same. No copy of the table changes a\n\
         -- date that does not exist.\n\
         SET @diesel_encrypted_sql_mode = @@SESSION.sql_mode;\n\
         SET SESSION sql_mode = '{MODE}';\n\n\
         {statements}\n\
         SET SESSION sql_mode = @diesel_encrypted_sql_mode;\n"
    )
}

/// Without a strict mode, a copy of the table would silently change values that it cannot keep.
const MODE: &str = "STRICT_ALL_TABLES,ALLOW_INVALID_DATES";

/// A column's entry in the catalogue.
struct Known {
    character_set: String,
    collation: String,
    column_type: String,
    is_nullable: bool,
    /// The length in the units of the type.
    length: Option<usize>,
    has_default: bool,
}

impl Known {
    fn of<C: Conn<Mysql>>(conn: &mut C, table: &Table, column: &Column) -> QueryResult<Self> {
        let schema = table.name.schema().unwrap_or_default();
        let row: Fields = Sql::new(COLUMN).bind(schema).bind(table.name.name()).bind(&column.name).get_result(conn)?;
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        Ok(Self {
            character_set: next().unwrap_or_default(),
            collation: next().unwrap_or_default(),
            column_type: next().unwrap_or_default(),
            is_nullable: next().as_deref() == Some("YES"),
            length: next().and_then(|length| length.parse().ok()),
            has_default: next().is_some_and(|default| default != "NULL"),
        })
    }

    fn is_ascii(&self) -> bool {
        self.collation == "ascii_bin"
    }

    fn notes(&self, table: &Table, column: &Column) -> Vec<String> {
        let Self { character_set, column_type, .. } = self;
        let place = table.place(column);
        let mut notes = Vec::new();
        if column.form == Form::Text && !self.is_ascii() {
            let null = if self.is_nullable { "" } else { " NOT NULL" };
            notes.push(format!(
                "{place}: its character set is {character_set}, and the guard converts every value that is written. Tokens \
                 need only ASCII. In an earlier migration, run ALTER TABLE {} MODIFY {} {column_type} CHARACTER SET ascii \
                 COLLATE ascii_bin{null} (with its DEFAULT and COMMENT, if it has them). It copies the table",
                quoted_table::<Mysql>(&table.written()),
                quoted::<Mysql>(&column.name)
            ));
        }
        if self.length.is_some_and(|length| ends_like_a_token(column.form, length)) {
            notes.push(format!(
                "{place}: {column_type} ends where a shorter token could end. Without a strict sql_mode, the server \
                 truncates longer tokens there, and the guard accepts them. Make the column longer by one"
            ));
        }
        if self.has_default {
            notes.push(default_note(table, column));
        }
        notes
    }
}

/// Whether a token has this length and no `=` at its end.
fn ends_like_a_token(form: Form, length: usize) -> bool {
    match form {
        Form::Text => length >= 140 && length % 64 == 12,
        Form::Binary => length >= 73 && length % 16 == 9,
    }
}

fn size<C: Conn<Mysql>>(conn: &mut C, table: &Table) -> QueryResult<String> {
    let sql = "SELECT CAST(ROUND((data_length + index_length) / 1048576) AS CHAR(20)) FROM information_schema.tables \
        WHERE table_schema = ? AND table_name = ?";
    let size = Sql::new(sql).bind(table.name.schema().unwrap_or_default()).bind(table.name.name()).first(conn)?;
    Ok(format!("about {} MiB", size.as_deref().unwrap_or("?").trim()))
}

/// The name and the definition of a column in the output of SHOW CREATE TABLE, which are on one line.
fn definition<'a>(written: &'a str, column: &str) -> Option<&'a str> {
    let name = quoted::<Mysql>(column);
    let mut lines = written.lines().skip(1).filter_map(|line| line.strip_prefix("  "));
    let line = lines.find(|line| line.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(' ')))?;
    Some(line.strip_suffix(',').unwrap_or(line))
}

/// Limits the wait for the lock, because everybody else who needs the table waits behind the statement.
fn patiently(table: &Table, actions: impl Iterator<Item = String>) -> String {
    format!("SET STATEMENT lock_wait_timeout = 5 FOR {}", alter::<Mysql>(&table.written(), actions))
}

/// The message of an error, as a literal. The server allows 128 characters.
fn literal(message: &str) -> String {
    message.chars().take(120).collect::<String>().replace('\\', "\\\\").replace('\'', "''")
}

const COLUMN: &str = "\
    SELECT character_set_name, collation_name, column_type, is_nullable, CAST(character_maximum_length AS CHAR(20)), \
           column_default \
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? AND column_name = ?";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_are_those_of_the_shipped_migration() {
        let shipped = include_str!("../../migrations/mysql/2026-11-23-000100_create_people/up.sql");
        for (condition, name) in [(TEXT, "email"), (TEXT, "phone"), (binary().as_str(), "photo")] {
            let condition = indented(&filled(condition, name));
            assert!(shipped.contains(&format!("CHECK (\n{condition}\n    )")), "{condition}");
        }
        assert_eq!(shipped.matches("CONSTRAINT").count(), 3);
    }

    #[test]
    fn finds_the_definition_of_a_column() {
        let written =
            "CREATE TABLE `t` (\n  `a` int(11) NOT NULL,\n  `a``b` text DEFAULT 'x,' COMMENT 'y',\n  KEY `c` (`a`)\n)";
        assert_eq!(definition(written, "a"), Some("`a` int(11) NOT NULL"));
        assert_eq!(definition(written, "a`b"), Some("`a``b` text DEFAULT 'x,' COMMENT 'y'"));
        assert_eq!(definition(written, "c"), None);
    }
}
