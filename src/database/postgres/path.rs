//! What names mean on PostgreSQL.
//!
//! PostgreSQL finds operators, functions and types through the `search_path`, and prefers those that fit the arguments
//! best. Whoever may create objects in a schema of that path can add `>(varchar, varchar)`, which fits better than the
//! server's own `>(text, text)`. It would run with the rights of the task's user and answer what its author likes.
//! Therefore every statement of this crate runs with a path to which nobody else can add anything, and names the schema
//! of every table.
//!
//! Source: PostgreSQL's manual, "Operator Type Resolution", and CVE-2018-1058.

use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::{Conn, Sql};
use crate::targets::TableName;

/// `pg_temp` is last. Unless the path names it, it comes first for types and tables.
pub(crate) const PINNED: &str = "pg_catalog, pg_temp";
const PINNED_LITERAL: &str = "'pg_catalog, pg_temp'";

/// The setting in which a transaction notes the schemas that the application searches.
const NOTED: &str = "diesel_encrypted.schemas";

/// The schemas that the application searches. It names its operators, because it comes before the pin. `nullif` would
/// look for `=` on the path.
pub(crate) const SEARCHED: &str = "\
    CASE WHEN pg_catalog.length(pg_catalog.current_setting('diesel_encrypted.schemas', true)) \
              OPERATOR(pg_catalog.>) 0 \
         THEN pg_catalog.current_setting('diesel_encrypted.schemas', true)::pg_catalog.name[] \
         ELSE pg_catalog.current_schemas(false) END";

/// The statement that notes the schemas that the application searches, until the end of the transaction.
pub(crate) fn note() -> String {
    format!("SELECT pg_catalog.set_config('{NOTED}', ({SEARCHED})::pg_catalog.text, true); ")
}

/// Adds the schema in which the application would find the table. Returns `None` if there is no such table.
pub(crate) fn located<C: Conn<Pg>>(conn: &mut C, table: &TableName) -> QueryResult<Option<TableName>> {
    if table.schema().is_some() {
        return Ok(Some(table.clone()));
    }
    let sql = format!(
        "SELECT s.name::pg_catalog.text FROM pg_catalog.unnest({SEARCHED}) WITH ORDINALITY AS s (name, position) \
         WHERE pg_catalog.to_regclass(pg_catalog.format('%I.%I', s.name, ?::pg_catalog.text)) IS NOT NULL \
         ORDER BY s.position LIMIT 1"
    );
    let schema = Sql::new(sql).bind(table.name()).first(conn)?;
    Ok(schema.map(|schema| TableName::in_schema(schema, table.name())))
}

/// Runs `query` with the pinned path on a connection that is not a session of the task.
pub(crate) fn pinned<C: Conn<Pg>, T, E: From<DieselError>>(
    conn: &mut C,
    query: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, E> {
    conn.transaction(|conn| {
        let mut former = Vec::new();
        for (name, value) in [(NOTED, SEARCHED), ("search_path", PINNED_LITERAL)] {
            let current = format!("SELECT pg_catalog.current_setting('{name}', true)");
            former.push((name, Sql::new(current).first(conn)?.unwrap_or_default()));
            let set = format!("SELECT pg_catalog.set_config('{name}', ({value})::pg_catalog.text, true)");
            Sql::new(set).first(conn)?;
        }
        let value = query(conn)?;
        // The caller may be in a transaction that goes on.
        for (name, former) in former {
            let set = format!("SELECT pg_catalog.set_config('{name}', ?::pg_catalog.text, true)");
            Sql::new(set).bind(&former).first(conn)?;
        }
        Ok(value)
    })
}
