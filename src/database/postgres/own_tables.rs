//! The tables of the task on PostgreSQL.

use diesel::pg::Pg;
use diesel::result::QueryResult;

use crate::database::postgres::path::SEARCHED;
use crate::database::quote::quoted_table;
use crate::database::{Conn, OwnTables, Sql};
use crate::targets::TableName;

impl OwnTables for Pg {
    fn schema_for_new<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<String>> {
        Sql::new(format!("SELECT (({SEARCHED})[1])::text")).first(conn)
    }

    fn distrust<C: Conn<Self>>(conn: &mut C, table: &TableName) -> QueryResult<Option<String>> {
        Sql::new(DISTRUST).bind(&quoted_table::<Self>(table)).first(conn)
    }
}

/// A trigger, a rule or a policy runs with the rights of the user who writes. The owner of a table can add one at any
/// time, and whoever may create tables in a schema of the path can be the first to create this table.
const DISTRUST: &str = "\
    SELECT CASE \
        WHEN c.relkind <> 'r' THEN 'it is not an ordinary table' \
        WHEN NOT (o.rolname = current_user OR o.rolsuper OR c.relowner IN (d.datdba, n.nspowner)) \
            THEN 'its owner is ' || quote_ident(o.rolname) || ', who owns neither the schema nor the database' \
        WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) THEN 'it has triggers' \
        WHEN EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) THEN 'it has rules' \
        WHEN c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) THEN 'it has policies' \
        WHEN EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) THEN 'it inherits' \
        END \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner \
    JOIN pg_database d ON d.datname = current_database() \
    WHERE c.oid = to_regclass(?)";
