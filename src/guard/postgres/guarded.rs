//! A column to guard, as the catalogue of PostgreSQL describes it.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::result::Error as DieselError;

use crate::database::postgres::path::SEARCHED;
use crate::database::quote::{quoted, quoted_table};
use crate::database::{Conn, Fields, Sql};
use crate::fields::Form;
use crate::guard::error::GuardError;
use crate::guard::names::constraint;
use crate::guard::table::{Column, Table};
use crate::keys::fernet::shape::is_guard;
use crate::keys::fernet::shape::postgres::{ENCRYPTED_BINARY, ENCRYPTED_TEXT};

/// A column, with its entry in the catalogue.
pub(crate) struct Guarded<'a> {
    pub(crate) column: &'a Column,
    /// The column, quoted.
    pub(crate) name: String,
    /// The type with its length, schema and collation, as `ALTER TABLE` spells it.
    pub(crate) type_name: String,
    pub(crate) has_length: bool,
    /// Whether the type pads values with blanks.
    pub(crate) is_padded: bool,
    pub(crate) default: Option<String>,
    /// The schema in which the domain exists, or in which to create it.
    schema: String,
    /// The objects that keep the server from changing the type, in its own words.
    pub(crate) users: Option<String>,
    pub(crate) size: String,
}

impl<'a> Guarded<'a> {
    pub(crate) fn of<C: Conn<Pg>>(conn: &mut C, table: &Table, column: &'a Column) -> Result<Self, GuardError> {
        let (domain, _) = domain(column.form);
        let relation = quoted_table::<Pg>(&table.name);
        let row: Fields = Sql::new(COLUMN.replace("SEARCHED", SEARCHED))
            .bind(domain)
            .bind(domain)
            .bind(&relation)
            .bind(&column.name)
            .get_result(conn)?;
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
        let checks = next();
        let stranger = next();
        match (checks, stranger) {
            (Some(checks), _) if !is_guard(&checks) => refuse(format!(
                "the type {}.{domain} exists, but it is not the domain that accepts only tokens. Rename that type",
                this.schema
            )),
            (_, Some(stranger)) => refuse(format!(
                "the domain {}.{domain} belongs to {stranger}, who could change what it accepts. Give it to the owner of the \
                 table: ALTER DOMAIN … OWNER TO …",
                this.schema
            )),
            _ => Ok(this),
        }
    }

    /// The domain with its schema.
    pub(crate) fn domain(&self) -> String {
        format!("{}.{}", quoted::<Pg>(&self.schema), domain(self.column.form).0)
    }

    /// Changes the type. It drops the default first and then sets it again, because the server would wrap the default
    /// in casts.
    pub(crate) fn change_type(&self, type_name: &str) -> String {
        let Self { name, default, .. } = self;
        let change = format!("ALTER COLUMN {name} TYPE {type_name}");
        let Some(default) = default else { return change };
        format!("ALTER COLUMN {name} DROP DEFAULT,\n    {change},\n    ALTER COLUMN {name} SET DEFAULT {default}")
    }

    pub(crate) fn constraint(&self, table: &Table) -> String {
        quoted::<Pg>(&constraint(table.name.name(), &self.column.name))
    }
}

/// The name of the domain, and the statement that creates it.
pub(crate) fn domain(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Text => ("encrypted_text", ENCRYPTED_TEXT),
        Form::Binary => ("encrypted_binary", ENCRYPTED_BINARY),
    }
}

/// Numbers and names as `ALTER TABLE` takes them with any search path. A generated column depends on another column
/// through its expression. The last field is the owner of the domain, unless everybody trusts it: the owner of the table,
/// the current user, or a superuser.
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
               '') END, \
           (SELECT r.rolname::text FROM pg_catalog.pg_roles r \
            WHERE r.oid = dt.typowner AND NOT r.rolsuper \
              AND r.oid <> c.relowner AND r.rolname <> current_user) \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace \
    LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation \
    LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace \
    LEFT JOIN pg_catalog.pg_type dt ON dt.oid = coalesce( \
        (SELECT ft.oid FROM unnest(SEARCHED) WITH ORDINALITY AS s (name, position) \
         JOIN pg_catalog.pg_namespace fn ON fn.nspname = s.name \
         JOIN pg_catalog.pg_type ft ON ft.typnamespace = fn.oid AND ft.typname = ? ORDER BY s.position LIMIT 1), \
        to_regtype(quote_ident(n.nspname) || '.' || ?)) \
    LEFT JOIN pg_catalog.pg_namespace dn ON dn.oid = dt.typnamespace \
    WHERE c.oid = to_regclass(?) AND a.attname = ? AND NOT a.attisdropped";
