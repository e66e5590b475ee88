//! The triggers and rules that an update of a table sets off on PostgreSQL.

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::quote::quoted_table;
use crate::database::{Conn, Effects, PlannedTable, SideEffects};

impl Effects for Pg {
    const WITHOUT_TRIGGERS: &'static str = "connect as a user who may set session_replication_role, with \
        `?options=-c%20session_replication_role%3Dreplica` at the end of the URL. Triggers then do not fire for \
        these connections, and fire for all others";

    fn side_effects<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<SideEffects> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let triggers =
            sql_query(TRIGGERS).bind::<Text, _>(quoted_table::<Self>(&table.name)).bind::<Array<Text>, _>(columns);
        let rules = sql_query(RULES).bind::<Text, _>(quoted_table::<Self>(&table.name));
        let owner = sql_query(LESSER_OWNER).bind::<Text, _>(quoted_table::<Self>(&table.name));
        Ok(SideEffects {
            triggers: names(triggers.load(conn)?),
            rules: names(rules.load(conn)?),
            may_be_hidden: false,
            lesser_owner: names(owner.load(conn)?).pop(),
        })
    }
}

/// The triggers of the table itself, and the row triggers of its partitions. Some of the latter are copies of the
/// former.
const TRIGGERS: &str = "\
    SELECT DISTINCT ON (t.tgname) \
           t.tgname || CASE t.tgrelid WHEN r.oid THEN '' ELSE ' on ' || t.tgrelid::regclass END AS name \
    FROM (SELECT to_regclass($1)::oid) AS r (oid), pg_catalog.pg_trigger t \
    WHERE t.tgrelid IN (SELECT r.oid UNION SELECT relid FROM pg_partition_tree(r.oid)) \
      AND NOT t.tgisinternal AND t.tgtype & 16 <> 0 AND (t.tgrelid = r.oid OR t.tgtype & 1 <> 0) \
      AND t.tgenabled IN ('A', CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END) \
      AND (t.tgattr::text = '' OR EXISTS ( \
          SELECT FROM pg_catalog.pg_attribute a \
          WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY ($2))) \
    ORDER BY t.tgname, t.tgrelid <> r.oid, t.tgrelid";

const RULES: &str = "\
    SELECT w.rulename::text AS name FROM pg_catalog.pg_rewrite w \
    WHERE w.ev_class = to_regclass($1) AND w.ev_type = '2' \
      AND w.ev_enabled IN ('A', CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END) \
    ORDER BY w.rulename";

/// An update evaluates the CHECKs, the generated columns, and the expressions of the indexes with the rights of its user.
const LESSER_OWNER: &str = "\
    SELECT o.rolname::text AS name \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles o ON o.oid = c.relowner \
    JOIN pg_catalog.pg_roles u ON u.rolname = current_user \
    WHERE c.oid = to_regclass($1) AND u.rolsuper AND NOT o.rolsuper";

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

fn names(rows: Vec<Name>) -> Vec<String> {
    rows.into_iter().map(|row| row.name).collect()
}
