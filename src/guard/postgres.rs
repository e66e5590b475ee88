//! PostgreSQL: a domain as the type of the column, or a CHECK that casts to the domain and is validated afterwards.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Fields, Sql};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::migration::{GuardMigration, Way, default_note};
use crate::guard::names::constraint;
use crate::guard::table::{Column, Table};
use crate::guard::writer::GuardWriter;
use crate::keys::fernet::shape::is_guard;
use crate::keys::fernet::shape::postgres::{ENCRYPTED_BINARY, ENCRYPTED_TEXT};
use crate::targets::TableName;

/// How long to wait for the lock of a table. Everybody else who needs the table waits behind this statement.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s';\n";

impl GuardWriter for Pg {
    fn conditions<C: Conn<Self>>(_conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let condition = |column: &Column| {
            let (_, condition) = domain(column.form).1.split_once("CHECK (").unwrap_or_default();
            let condition = condition.trim_end_matches(");");
            let name = quoted::<Pg>(&column.name);
            match column.form {
                // The value as the domain sees it.
                Form::Text => condition.replace("VALUE", &format!("({name}::text COLLATE \"C\")")),
                Form::Binary => condition.replace("VALUE", &format!("{name}::bytea")),
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
            Way::AtOnce => Ok(vec![at_once(table, &guarded)]),
            Way::Online => online(table, &guarded),
        }
    }
}

/// A column, with its entry in the catalogue.
struct Guarded<'a> {
    column: &'a Column,
    /// The column, quoted.
    name: String,
    /// The type with its length, schema and collation, as `ALTER TABLE` spells it.
    type_name: String,
    has_length: bool,
    /// Whether the type pads values with blanks.
    is_padded: bool,
    default: Option<String>,
    /// The schema in which the domain exists, or in which to create it.
    schema: String,
    /// The objects that keep the server from changing the type, in its own words.
    users: Option<String>,
    /// The size of the table.
    size: String,
}

impl<'a> Guarded<'a> {
    fn of<C: Conn<Pg>>(conn: &mut C, table: &Table, column: &'a Column) -> Result<Self, GuardError> {
        let (domain, _) = domain(column.form);
        let relation = quoted_table::<Pg>(&table.name);
        let row: Fields =
            Sql::new(COLUMN).bind(domain).bind(domain).bind(&relation).bind(&column.name).get_result(conn)?;
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        let this = Self {
            column,
            name: quoted::<Pg>(&column.name),
            type_name: next().ok_or(DieselError::NotFound)?,
            has_length: next().as_deref() == Some("true"),
            is_padded: next().as_deref() == Some("true"),
            default: next(),
            schema: next().ok_or(DieselError::NotFound)?,
            users: next(),
            size: next().unwrap_or_default(),
        };
        let refuse = |reason: String| Err(table.unsuitable(column, reason).into());
        if next().as_deref() == Some("true") {
            return refuse("the column belongs to the parent of this table. Name the parent".into());
        }
        match next() {
            Some(checks) if !is_guard(&checks) => refuse(format!(
                "the type {}.{domain} exists, but it is not the domain that accepts only tokens. Rename that type",
                this.schema
            )),
            _ => Ok(this),
        }
    }

    /// The domain with its schema.
    fn domain(&self) -> String {
        format!("{}.{}", quoted::<Pg>(&self.schema), domain(self.column.form).0)
    }

    /// Changes the type. Drops the default first and sets it again, because the server would wrap it in casts.
    fn change_type(&self, type_name: &str) -> String {
        let Self { name, default, .. } = self;
        let change = format!("ALTER COLUMN {name} TYPE {type_name}");
        let Some(default) = default else { return change };
        format!("ALTER COLUMN {name} DROP DEFAULT,\n    {change},\n    ALTER COLUMN {name} SET DEFAULT {default}")
    }

    fn constraint(&self, table: &Table) -> String {
        quoted::<Pg>(&constraint(table.name.name(), &self.column.name))
    }
}

fn at_once(table: &Table, guarded: &[Guarded<'_>]) -> GuardMigration {
    let up = guarded.iter().map(|guarded| guarded.change_type(&guarded.domain()));
    let down = guarded.iter().map(|guarded| guarded.change_type(&guarded.type_name));
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}.\n{LOCK_TIMEOUT}\n{}{}",
        table.places(),
        domains(guarded),
        alter(table, up)
    );
    let down = format!(
        "-- The former types. The domains stay, because other columns may use them.\n{LOCK_TIMEOUT}\n{}",
        alter(table, down)
    );
    let mut this = GuardMigration::of(table, up, down);
    this.has_online_way = true;
    let name = &table.name;
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
                 each of them before the ALTER TABLE, and CREATE it again after it. An online guard leaves the type \
                 unchanged"
            ));
        }
    }
    this.notes.extend(notes(table, guarded));
    this
}

fn online(table: &Table, guarded: &[Guarded<'_>]) -> Result<Vec<GuardMigration>, GuardError> {
    if let Some(padded) = guarded.iter().find(|guarded| guarded.is_padded) {
        let reason = format!(
            "its type is {}, which pads tokens with blanks, and a CHECK does not see them. A guard that is \
             not online also changes the type",
            padded.type_name
        );
        return Err(table.not_online(Some(padded.column), reason).into());
    }
    let add = guarded.iter().map(|guarded| {
        let name = &guarded.name;
        let domain = guarded.domain();
        let constraint = guarded.constraint(table);
        format!("ADD CONSTRAINT {constraint}\n        CHECK (({name}::{domain} IS NULL) = ({name} IS NULL)) NOT VALID")
    });
    let drop = guarded.iter().map(|guarded| format!("DROP CONSTRAINT {}", guarded.constraint(table)));
    let validate = guarded.iter().map(|guarded| format!("VALIDATE CONSTRAINT {}", guarded.constraint(table)));
    let up = format!(
        "-- The database refuses every value that is not a Fernet token in {}, from now on.\n\
         -- The CHECK casts to the domain, because the error of the cast shows no value. The error of a CHECK shows the \
         row.\n{LOCK_TIMEOUT}\n{}{}",
        table.places(),
        domains(guarded),
        alter(table, add)
    );
    let down =
        format!("-- The domains stay, because other columns may use them.\n{LOCK_TIMEOUT}\n{}", alter(table, drop));
    let mut first = GuardMigration::of(table, up, down);
    let name = &table.name;
    first.notes.push(format!(
        "{name}: ADD CONSTRAINT takes ACCESS EXCLUSIVE for a moment. It waits for the lock for 5 s, and everybody else \
         waits behind it. Then it gives up: run it again"
    ));
    let up = format!("-- Checks the rows that are older than the guards.\n{}", alter(table, validate));
    let mut second = GuardMigration::second(table, up, "SELECT 1;\n");
    let size = guarded.first().map_or("", |guarded| &guarded.size);
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

/// Creates the domains that are missing.
fn domains(guarded: &[Guarded<'_>]) -> String {
    let mut statements: Vec<String> = Vec::new();
    for guarded in guarded {
        let (name, text) = domain(guarded.column.form);
        let text = text.replacen(name, &guarded.domain(), 1);
        let statement = format!(
            "DO $guard$ BEGIN\n{text}\nEXCEPTION WHEN duplicate_object THEN\n    NULL; -- It exists.\nEND $guard$;\n\n"
        );
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements.concat()
}

/// One statement, so that the server reads the table only once.
fn alter(table: &Table, actions: impl Iterator<Item = String>) -> String {
    let actions: Vec<String> = actions.map(|action| format!("\n    {action}")).collect();
    format!("ALTER TABLE {}{};\n", quoted_table::<Pg>(&table.name), actions.join(","))
}

/// The name of the domain, and the statement that creates it.
fn domain(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Text => ("encrypted_text", ENCRYPTED_TEXT),
        Form::Binary => ("encrypted_binary", ENCRYPTED_BINARY),
    }
}

/// Numbers and names as `ALTER TABLE` takes them, whatever the search path is. A generated column depends on another by
/// way of its expression.
const COLUMN: &str = "\
    SELECT CASE tn.nspname WHEN 'pg_catalog' THEN format_type(a.atttypid, a.atttypmod) \
                ELSE quote_ident(tn.nspname) || '.' || quote_ident(t.typname) END \
               || CASE WHEN a.attcollation <> t.typcollation \
                       THEN ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname) ELSE '' END, \
           (a.atttypmod >= 0)::text, \
           (t.typname = 'bpchar')::text, \
           (SELECT pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef \
            WHERE adrelid = a.attrelid AND adnum = a.attnum), \
           coalesce(dn.nspname, n.nspname)::text, \
           (SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid), ', ') \
            FROM pg_catalog.pg_depend d \
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum \
              AND (d.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass) \
                   OR d.classid = 'pg_attrdef'::regclass AND d.deptype = 'n')), \
           pg_size_pretty(coalesce( \
               (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(c.oid)), pg_table_size(c.oid))), \
           (a.attinhcount > 0)::text, \
           CASE WHEN dt.oid IS NOT NULL THEN coalesce( \
               (SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_catalog.pg_constraint \
                WHERE contypid = dt.oid), \
               '') END \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace \
    LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation \
    LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace \
    LEFT JOIN pg_catalog.pg_type dt ON dt.oid = coalesce( \
        to_regtype(?), to_regtype(quote_ident(n.nspname) || '.' || ?)) \
    LEFT JOIN pg_catalog.pg_namespace dn ON dn.oid = dt.typnamespace \
    WHERE c.oid = to_regclass(?) AND a.attname = ? AND NOT a.attisdropped";

/// A table from which others inherit, all of whose rows this user sees.
const PARENT: &str = "\
    SELECT c.relname::text FROM pg_catalog.pg_class c \
    WHERE c.oid = to_regclass(?) AND c.relkind = 'r' AND NOT row_security_active(c.oid) \
      AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domains_are_those_of_the_shipped_migration() {
        let shipped = include_str!("../../migrations/postgresql/2026-11-23-000000_create_encrypted_domains/up.sql");
        for domain in [ENCRYPTED_TEXT, ENCRYPTED_BINARY] {
            assert!(shipped.contains(domain), "{domain}");
        }
        assert_eq!(shipped.matches("CREATE DOMAIN").count(), 2);
    }
}
