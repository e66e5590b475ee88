//! PostgreSQL: domains as types of columns; or a CHECK that casts to the domain, validated afterwards.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::quote::{quoted, quoted_table};
use crate::database::sql::{Conn, Fields, Sql};
use crate::fields::column::Form;
use crate::guard::error::{GuardError, Refusal};
use crate::guard::migration::{GuardMigration, Way, places};
use crate::guard::names::constraint;
use crate::guard::table::{Column, GuardWriter, Table};
use crate::keys::fernet::shape::is_guard;
use crate::keys::fernet::shape::postgres::{ENCRYPTED_BINARY, ENCRYPTED_TEXT};
use crate::targets::TableName;

/// How long to wait for the lock of a table. Whoever wants to use it meanwhile waits behind.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s';\n";

impl GuardWriter for Pg {
    fn conditions<C: Conn<Self>>(_conn: &mut C, table: &Table) -> QueryResult<Vec<String>> {
        let condition = |column: &Column| {
            let (_, condition) = domain(column.form).1.split_once("CHECK (").unwrap_or_default();
            let condition = condition.trim_end_matches(");");
            let name = quoted::<Pg>(&column.name);
            match column.form {
                // As the domain sees it.
                Form::Text => condition.replace("VALUE", &format!("({name}::text COLLATE \"C\")")),
                Form::Binary => condition.replace("VALUE", &format!("{name}::bytea")),
            }
        };
        Ok(table.columns.iter().map(condition).collect())
    }

    /// The children of a table are guarded with it.
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

/// A column, and what the catalogue says of it.
struct Guarded<'a> {
    column: &'a Column,
    /// The column, quoted.
    name: String,
    /// The type with its length, schema and collation, as `ALTER TABLE` takes it.
    type_name: String,
    has_length: bool,
    /// Whether the type fills values with blanks.
    is_padded: bool,
    default: Option<String>,
    /// The schema in which the domain is, or is to be made.
    schema: String,
    /// What keeps the server from changing the type, in its own words.
    users: Option<String>,
    /// Of the table.
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
        let refuse = |reason: String| Err(Refusal::Column { place: table.place(column), reason }.into());
        if next().as_deref() == Some("true") {
            return refuse("the column belongs to the parent of this table: name the parent".into());
        }
        match next() {
            Some(checks) if !is_guard(&checks) => refuse(format!(
                "the type {}.{domain} is there, and is not the domain of that name that takes tokens only: rename it",
                this.schema
            )),
            _ => Ok(this),
        }
    }

    /// The domain with its schema.
    fn domain(&self) -> String {
        format!("{}.{}", quoted::<Pg>(&self.schema), domain(self.column.form).0)
    }

    /// Changes the type and leaves the default as it is: left alone, it would be wrapped in casts.
    fn change_type(&self, type_name: &str) -> String {
        let Self { name, default, .. } = self;
        let change = format!("ALTER COLUMN {name} TYPE {type_name}");
        match default {
            Some(default) => format!(
                "ALTER COLUMN {name} DROP DEFAULT,\n    {change},\n    ALTER COLUMN {name} SET DEFAULT {default}"
            ),
            None => change,
        }
    }

    fn constraint(&self, table: &Table) -> String {
        quoted::<Pg>(&constraint(table.name.name(), &self.column.name))
    }
}

fn at_once(table: &Table, guarded: &[Guarded<'_>]) -> GuardMigration {
    let up = guarded.iter().map(|guarded| guarded.change_type(&guarded.domain()));
    let down = guarded.iter().map(|guarded| guarded.change_type(&guarded.type_name));
    let up = format!(
        "-- The database refuses what is not a Fernet token in {}.\n{LOCK_TIMEOUT}\n{}{}",
        places(table),
        domains(guarded),
        alter(table, up)
    );
    let down = format!(
        "-- The former types. The domains stay: other columns may be of them.\n{LOCK_TIMEOUT}\n{}",
        alter(table, down)
    );
    let mut this = GuardMigration::of(table, up, down);
    let (name, size) = (&table.name, guarded.first().map_or("", |guarded| &guarded.size));
    this.notes.push(format!(
        "{name}: ALTER TABLE writes the table ({size}) and its indexes anew under ACCESS EXCLUSIVE: nobody reads or \
         writes it until that is done, and it takes as much disk again meanwhile. It waits for the lock for 5 s, and \
         everybody behind it, and then gives up: run it again. With --online readers and writers go on"
    ));
    this.notes.push(format!("{name}: its columns have no statistics afterwards: ANALYZE {}", quoted_table::<Pg>(name)));
    for guarded in guarded {
        let (place, type_name, domain) = (table.place(guarded.column), &guarded.type_name, guarded.domain());
        this.notes.push(match guarded.has_length {
            true => format!(
                "{place}: was {type_name}; {domain} has no length. down.sql brings the length back, and fails if a \
                 token is longer by then"
            ),
            false => format!("{place}: was {type_name}, and becomes {domain}"),
        });
        if let Some(users) = &guarded.users {
            this.notes.push(format!(
                "{place}: PostgreSQL changes no type that others use: {users}. Put a DROP for each before the ALTER \
                 TABLE of up.sql and down.sql, and its CREATE behind; or take --online, which leaves the type as it is"
            ));
        }
    }
    this.notes.extend(notes(table, guarded));
    this
}

fn online(table: &Table, guarded: &[Guarded<'_>]) -> Result<Vec<GuardMigration>, GuardError> {
    if let Some(padded) = guarded.iter().find(|guarded| guarded.is_padded) {
        let reason = format!(
            "{} is {}, which fills tokens with blanks, and no guard would see them. Without --online its type changes, too",
            table.place(padded.column),
            padded.type_name
        );
        return Err(Refusal::NotOnline { reason }.into());
    }
    let add = guarded.iter().map(|guarded| {
        let (name, domain, constraint) = (&guarded.name, guarded.domain(), guarded.constraint(table));
        format!("ADD CONSTRAINT {constraint}\n        CHECK (({name}::{domain} IS NULL) = ({name} IS NULL)) NOT VALID")
    });
    let drop = guarded.iter().map(|guarded| format!("DROP CONSTRAINT {}", guarded.constraint(table)));
    let validate = guarded.iter().map(|guarded| format!("VALIDATE CONSTRAINT {}", guarded.constraint(table)));
    let up = format!(
        "-- The database refuses what is not a Fernet token in {}, from now on.\n\
         -- A cast to the domain, whose error shows no value: that of a CHECK shows the whole row.\n{LOCK_TIMEOUT}\n{}{}",
        places(table),
        domains(guarded),
        alter(table, add)
    );
    let down = format!("-- The domains stay: others may use them.\n{LOCK_TIMEOUT}\n{}", alter(table, drop));
    let mut first = GuardMigration::of(table, up, down);
    let name = &table.name;
    first.notes.push(format!(
        "{name}: ADD CONSTRAINT takes ACCESS EXCLUSIVE for a moment. It waits for the lock for 5 s, and everybody \
         behind it, and then gives up: run it again"
    ));
    let up = format!("-- Looks at the rows that were there before the guards.\n{}", alter(table, validate));
    let mut second =
        GuardMigration::second(table, up, "-- The guards go with the migration before.\nSELECT 1;\n".into());
    let size = guarded.first().map_or("", |guarded| &guarded.size);
    second.notes.push(format!(
        "{name}: VALIDATE CONSTRAINT reads the table ({size}) once under SHARE UPDATE EXCLUSIVE: readers and writers \
         go on; VACUUM and other changes of the schema wait. If it fails, the guards bind whoever writes \
         nevertheless, also who writes another column of a row that does not pass: find the value, encrypt it, and \
         run it again"
    ));
    let declared = guarded.iter().map(|guarded| {
        let sql_type = if guarded.column.form == Form::Text { "EncryptedText" } else { "EncryptedBinary" };
        format!("{sql_type} for {}", guarded.column.name)
    });
    second.notes.push(format!(
        "{name}: the types stay, and so does what `diesel print-schema` makes of them. Declare the columns by a \
         patch_file, as docs/columns.md shows for the databases without domains: {}",
        declared.collect::<Vec<_>>().join(", ")
    ));
    second.notes.extend(notes(table, guarded));
    Ok(vec![first, second])
}

/// What holds for both ways.
fn notes(table: &Table, guarded: &[Guarded<'_>]) -> Vec<String> {
    let with_default = guarded.iter().filter_map(|guarded| Some((guarded, guarded.default.as_ref()?)));
    let mut notes: Vec<String> = with_default
        .map(|(guarded, _)| {
            format!(
                "{}: has a default, which stays; unless that is a token, an INSERT that relies on it is refused",
                table.place(guarded.column)
            )
        })
        .collect();
    notes.push(
        "The error of a refused value does not show it. The server's log may show the statement, and COPY the line in \
         the error's context"
            .into(),
    );
    notes
}

/// Makes the domains that are needed where they are missing.
fn domains(guarded: &[Guarded<'_>]) -> String {
    let mut statements: Vec<String> = Vec::new();
    for guarded in guarded {
        let (name, text) = domain(guarded.column.form);
        let text = text.replacen(name, &guarded.domain(), 1);
        let statement = format!(
            "DO $guard$ BEGIN\n{text}\nEXCEPTION WHEN duplicate_object THEN\n    NULL; -- It is there.\nEND $guard$;\n\n"
        );
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements.concat()
}

/// One statement, and so one walk over the table.
fn alter(table: &Table, actions: impl Iterator<Item = String>) -> String {
    let actions: Vec<String> = actions.map(|action| format!("\n    {action}")).collect();
    format!("ALTER TABLE {}{};\n", quoted_table::<Pg>(&table.name), actions.join(","))
}

/// The name of the domain, and the statement that makes it.
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
