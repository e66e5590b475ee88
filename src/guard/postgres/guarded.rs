//! A column to guard, as the catalogue of PostgreSQL describes it.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::result::Error as DieselError;

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
    SELECT CASE WHEN tn.nspname OPERATOR(pg_catalog.=) 'pg_catalog' \
                THEN pg_catalog.format_type(a.atttypid, a.atttypmod) \
                ELSE pg_catalog.format('%I.%I', tn.nspname, t.typname) END \
               OPERATOR(pg_catalog.||) CASE WHEN a.attcollation OPERATOR(pg_catalog.<>) t.typcollation \
                       THEN pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) ELSE '' END, \
           (a.atttypmod OPERATOR(pg_catalog.>=) 0)::pg_catalog.text, \
           (t.typname OPERATOR(pg_catalog.=) 'bpchar')::pg_catalog.text, \
           (SELECT pg_catalog.pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef \
            WHERE adrelid OPERATOR(pg_catalog.=) a.attrelid AND adnum OPERATOR(pg_catalog.=) a.attnum), \
           coalesce(dn.nspname, n.nspname)::pg_catalog.text, \
           (SELECT pg_catalog.string_agg( \
                DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', '::pg_catalog.text) \
            FROM pg_catalog.pg_depend d \
            WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
              AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum \
              AND (d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_rewrite', 'pg_catalog.pg_trigger', \
                                                               'pg_catalog.pg_policy']::pg_catalog.regclass[]) \
                   OR d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
                      AND d.deptype OPERATOR(pg_catalog.=) 'n')), \
           pg_catalog.pg_size_pretty(coalesce( \
               (SELECT pg_catalog.sum(pg_catalog.pg_table_size(relid)) FROM pg_catalog.pg_partition_tree(c.oid)), \
               pg_catalog.pg_table_size(c.oid))), \
           (a.attinhcount OPERATOR(pg_catalog.>) 0)::pg_catalog.text, \
           CASE WHEN dt.oid IS NOT NULL THEN coalesce( \
               (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(oid), ' '::pg_catalog.text) \
                FROM pg_catalog.pg_constraint WHERE contypid OPERATOR(pg_catalog.=) dt.oid), \
               '') END, \
           (SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r \
            WHERE r.oid OPERATOR(pg_catalog.=) dt.typowner AND NOT r.rolsuper \
              AND r.oid OPERATOR(pg_catalog.<>) c.relowner AND r.rolname OPERATOR(pg_catalog.<>) current_user) \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid \
    JOIN pg_catalog.pg_namespace tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace \
    LEFT JOIN pg_catalog.pg_collation co ON co.oid OPERATOR(pg_catalog.=) a.attcollation \
    LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid OPERATOR(pg_catalog.=) co.collnamespace \
    LEFT JOIN pg_catalog.pg_type dt ON dt.oid OPERATOR(pg_catalog.=) coalesce( \
        pg_catalog.to_regtype(?), pg_catalog.to_regtype(pg_catalog.format('%I.%s', n.nspname, ?::pg_catalog.text))) \
    LEFT JOIN pg_catalog.pg_namespace dn ON dn.oid OPERATOR(pg_catalog.=) dt.typnamespace \
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(?) \
      AND a.attname::pg_catalog.text OPERATOR(pg_catalog.=) ? AND NOT a.attisdropped";
