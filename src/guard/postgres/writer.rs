//! PostgreSQL: a CHECK that casts to a domain and is validated afterwards, or the domain as the type of the column.

use diesel::pg::Pg;
use diesel::result::QueryResult;

use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Sql};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::migration::{GuardMigration, Way, alter, default_note};
use crate::guard::postgres::guarded::{Guarded, domain};
use crate::guard::refusal::GuardRefusal;
use crate::guard::table::{Column, Table};
use crate::guard::writer::GuardWriter;
use crate::targets::TableName;

/// Limits the wait for the lock of a table, because everybody else who needs the table waits behind the statement.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s';\n";

impl GuardWriter for Pg {
    fn conditions<C: Conn<Self>>(_conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let condition = |column: &Column| {
            let (_, condition) = domain(column.form).1.split_once("CHECK (").unwrap_or_default();
            let condition = condition.trim_end_matches(");");
            let name = quoted::<Pg>(&column.name);
            match column.form {
                // The domain checks the value in this form.
                Form::Text => {
                    condition.replace("VALUE", &format!("({name}::pg_catalog.text COLLATE pg_catalog.\"C\")"))
                }
                Form::Binary => condition.replace("VALUE", &format!("{name}::pg_catalog.bytea")),
            }
        };
        Ok(table.columns.iter().map(condition).collect())
    }

    /// The children of a table get its guards.
    fn obstacle<C: Conn<Self>>(conn: &mut C, table: &TableName, of_task: String) -> QueryResult<Option<String>> {
        let parent = Sql::new(PARENT).bind(&quoted_table::<Pg>(table)).first(conn)?;
        Ok(parent.is_none().then_some(of_task))
    }

    fn write<C: Conn<Self>>(
        conn: &mut C,
        table: &Table,
        _conditions: &[String],
        way: Way,
    ) -> Result<Vec<GuardMigration>, GuardError> {
        let guarded = table.columns.iter().map(|column| Guarded::of(conn, table, column));
        let guarded = guarded.collect::<Result<Vec<_>, GuardError>>()?;
        match way {
            Way::Check | Way::Online => check(table, &guarded),
            Way::Domain => Ok(vec![by_domain(table, &guarded)]),
        }
    }
}

fn by_domain(table: &Table, guarded: &[Guarded<'_>]) -> GuardMigration {
    let up = guarded.iter().map(|guarded| guarded.change_type(&guarded.domain()));
    let down = guarded.iter().map(|guarded| guarded.change_type(&guarded.type_name));
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}.\n{LOCK_TIMEOUT}\n{}{}",
        table.places(),
        domains(table, guarded),
        alter::<Pg>(&table.name, up)
    );
    let down = format!(
        "-- The former types. The domains stay, because other columns may use them.\n{LOCK_TIMEOUT}\n{}",
        alter::<Pg>(&table.name, down)
    );
    let mut this = GuardMigration::of(table, up, down);
    let name = &table.name;
    this.notes.push(format!(
        "{name}: WARNING: afterwards, every prepared statement of the application that returns one of these columns fails \
         with `cached plan must not change result type`. It fails on every use of its connection, not once. Diesel prepares \
         statements, so close every pooled connection right after the migration: restart each instance, or let its pool \
         close all connections. A guard without a domain (a CHECK) changes no type, and no request fails"
    ));
    let size = guarded.first().map_or("", |guarded| &guarded.size);
    this.notes.push(format!(
        "{name}: ALTER TABLE rewrites the table ({size}) and its indexes under ACCESS EXCLUSIVE. Nobody reads or writes \
         the table until that is done, and it takes the same space on the disk once more. The statement waits for the \
         lock for 5 s, and everybody else waits behind it. Then it gives up: run it again"
    ));
    this.notes
        .push(format!("{name}: afterwards the columns have no statistics. Run ANALYZE {}", quoted_table::<Pg>(name)));
    for guarded in guarded {
        let place = table.place(guarded.column);
        let type_name = &guarded.type_name;
        let domain = guarded.domain();
        let loss = if guarded.has_length {
            ", which has no length. down.sql restores the length, and fails if a token has become longer"
        } else {
            ""
        };
        this.notes.push(format!("{place}: the type {type_name} becomes {domain}{loss}"));
        if let Some(users) = &guarded.users {
            this.notes.push(format!(
                "{place}: PostgreSQL does not change a type that other objects use: {users}. In up.sql and down.sql, DROP \
                 each of them before the ALTER TABLE, and CREATE it again after it. A CHECK leaves the type unchanged"
            ));
        }
    }
    this.notes.extend(notes(table, guarded));
    this
}

fn check(table: &Table, guarded: &[Guarded<'_>]) -> Result<Vec<GuardMigration>, GuardError> {
    if let Some(padded) = guarded.iter().find(|guarded| guarded.is_padded) {
        let reason =
            format!("its type is {}, which pads tokens with blanks, and a CHECK does not see them", padded.type_name);
        let (table, column) = (table.name.clone(), padded.column.name.clone());
        return Err(GuardRefusal::OnlyDomain { table, column, reason }.into());
    }
    let add = guarded.iter().map(|guarded| {
        let name = &guarded.name;
        let domain = guarded.domain();
        let constraint = guarded.constraint(table);
        format!(
            "ADD CONSTRAINT {constraint}\n        CHECK (({name}::{domain} IS NULL) OPERATOR(pg_catalog.=) ({name} IS NULL)) NOT VALID"
        )
    });
    let drop = guarded.iter().map(|guarded| format!("DROP CONSTRAINT {}", guarded.constraint(table)));
    let validate = guarded.iter().map(|guarded| format!("VALIDATE CONSTRAINT {}", guarded.constraint(table)));
    let fails = guarded.iter().map(|guarded| {
        let name = &guarded.name;
        format!("({name}::{} IS NULL) OPERATOR(pg_catalog.<>) ({name} IS NULL)", guarded.domain())
    });
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}, from now on.\n\
         -- The CHECK casts to the domain, because the error of the cast shows no value. The error of a CHECK shows the \
         row.\n{LOCK_TIMEOUT}\n{}\
         -- Fails while a value is not a token: otherwise the guard would refuse the writes of an application that still\n\
         -- writes plaintext.\nSELECT FROM {} WHERE {};\n\n{}",
        table.places(),
        domains(table, guarded),
        quoted_table::<Pg>(&table.name),
        fails.collect::<Vec<_>>().join("\n    OR "),
        alter::<Pg>(&table.name, add)
    );
    let down = format!(
        "-- The domains stay, because other columns may use them.\n{LOCK_TIMEOUT}\n{}",
        alter::<Pg>(&table.name, drop)
    );
    let mut first = GuardMigration::of(table, up, down);
    let name = &table.name;
    let size = guarded.first().map_or("", |guarded| &guarded.size);
    first.notes.push(format!(
        "{name}: the first migration reads the table ({size}) once, and changes nothing while a value is not a token. Then \
         ADD CONSTRAINT takes ACCESS EXCLUSIVE for a moment. It waits for the lock for 5 s, and everybody else waits behind \
         it. Then it gives up: run it again"
    ));
    let up = format!("-- Checks the rows that are older than the guards.\n{}", alter::<Pg>(&table.name, validate));
    let mut second = GuardMigration::second(table, up, "SELECT 1;\n");
    second.notes.push(format!(
        "{name}: VALIDATE CONSTRAINT reads the table ({size}) once under SHARE UPDATE EXCLUSIVE. Readers and writers \
         continue; VACUUM and other schema changes wait. If it fails, the guards still apply to every write, even to \
         another column of a row that does not pass. Find the value, encrypt it, and run the migration again"
    ));
    let declared = guarded.iter().map(|guarded| {
        let sql_type = if guarded.column.form == Form::Text { "EncryptedText" } else { "EncryptedBinary" };
        format!("{sql_type} for {}", guarded.column.name)
    });
    second.notes.push(format!(
        "{name}: the types stay the same, and so does the output of `diesel print-schema`. Declare the columns in a \
         patch_file, as docs/columns.md shows for databases without domains: {}",
        declared.collect::<Vec<_>>().join(", ")
    ));
    second.notes.extend(notes(table, guarded));
    Ok(vec![first, second])
}

/// The notes on both ways.
fn notes(table: &Table, guarded: &[Guarded<'_>]) -> Vec<String> {
    let with_default = guarded.iter().filter(|guarded| guarded.default.is_some());
    let mut notes: Vec<String> = with_default.map(|guarded| default_note(table, guarded.column)).collect();
    notes.push(
        "The error of a refused value does not show the value. The server's log may show the statement, and the context \
         of a COPY error may show the line"
            .into(),
    );
    notes
}

/// Creates the domains that are missing. Refuses those of other users, who could change what they accept.
fn domains(table: &Table, guarded: &[Guarded<'_>]) -> String {
    let relation = literal(&quoted_table::<Pg>(&table.name));
    let mut statements: Vec<String> = Vec::new();
    for guarded in guarded {
        let (name, text) = domain(guarded.column.form);
        let domain = guarded.domain();
        let text = text.replacen(name, &domain, 1);
        let message = literal(&format!("another user owns {domain}, and could change what it accepts"));
        let tag = tag(&[&text, &relation, &message]);
        let domain = literal(&domain);
        let statement = format!(
            "DO {tag} BEGIN\n{text}\nEXCEPTION WHEN duplicate_object THEN -- It exists.\n    \
             IF NOT EXISTS (\n        SELECT FROM pg_catalog.pg_type t\n        \
             JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) t.typowner\n        \
             WHERE t.oid OPERATOR(pg_catalog.=) {domain}::pg_catalog.regtype\n          \
             AND (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) current_user OR r.oid OPERATOR(pg_catalog.=) (\n              \
             SELECT relowner FROM pg_catalog.pg_class\n              \
             WHERE oid OPERATOR(pg_catalog.=) {relation}::pg_catalog.regclass))\n    ) THEN\n        \
             RAISE EXCEPTION USING MESSAGE = {message};\n    END IF;\n\
             END {tag};\n\n"
        );
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements.concat()
}

/// A text as a literal, which means the same whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A dollar quote that none of the texts between two of them can end.
fn tag(texts: &[&str]) -> String {
    let mut tag = "$guard$".to_owned();
    while texts.iter().any(|text| text.contains(&tag)) {
        tag.insert(6, '_');
    }
    tag
}

/// Finds the table if others inherit from it and this user can see all its rows.
const PARENT: &str = "\
    SELECT c.relname::text FROM pg_catalog.pg_class c \
    WHERE c.oid = to_regclass(?) AND c.relkind = 'r' AND NOT row_security_active(c.oid) \
      AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)";

#[cfg(test)]
mod tests {
    use super::{literal, tag};
    use crate::keys::fernet::shape::postgres::{ENCRYPTED_BINARY, ENCRYPTED_TEXT};

    #[test]
    fn no_name_ends_a_quote() {
        assert_eq!(tag(&["\"x\""]), "$guard$");
        assert_eq!(tag(&["\"x $guard$; DROP TABLE y\"", "\"$guard_$\""]), "$guard__$");
        assert_eq!(literal("\"it's\""), "'\"it''s\"'");
        assert_eq!(literal("\"it\\'s\""), "E'\"it\\\\''s\"'");
    }

    #[test]
    fn the_domains_are_those_of_the_shipped_migration() {
        let shipped = include_str!("../../../migrations/postgresql/2026-11-23-000000_create_encrypted_domains/up.sql");
        for domain in [ENCRYPTED_TEXT, ENCRYPTED_BINARY] {
            assert!(shipped.contains(domain), "{domain}");
        }
        assert_eq!(shipped.matches("CREATE DOMAIN").count(), 2);
    }
}
