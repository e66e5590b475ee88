//! Guards on PostgreSQL: a domain, or a CHECK of the table.

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::postgres::path::located;
use crate::database::quote::quoted_table;
use crate::database::{Conn, GuardKind, GuardLookup};
use crate::keys::fernet::shape::is_guard;
use crate::targets::TableName;

impl GuardLookup for Pg {
    /// Returns the strongest guard if there are several.
    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
        let Some(table) = located(conn, table)? else { return Ok(None) };
        let found = sql_query(CHECKS)
            .bind::<Text, _>(quoted_table::<Self>(&table))
            .bind::<Text, _>(column)
            .load::<Check>(conn)?;
        Ok(found.into_iter().find(|check| is_guard(&check.condition)).map(|check| match check {
            Check { is_validated: false, .. } => GuardKind::UnvalidatedCheck,
            Check { of_type: true, .. } => GuardKind::Domain,
            Check { of_type: false, .. } => GuardKind::Check,
        }))
    }
}

/// The CHECKs of the column's type, through any number of domains and arrays, and the CHECKs of the table that mention this column
/// alone. A CHECK that casts to a domain includes the CHECKs of the domain.
///
/// It leaves out a CHECK with an operator or a function that a user has created: that may accept anything. Extensions are
/// trusted.
const CHECKS: &str = "\
    WITH RECURSIVE the_column AS ( \
        SELECT attrelid, attnum, atttypid FROM pg_catalog.pg_attribute \
        WHERE attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) \
          AND attname::pg_catalog.text OPERATOR(pg_catalog.=) $2 \
          AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped \
    ), parts (type, made_of) AS ( \
        SELECT oid, CASE WHEN typtype OPERATOR(pg_catalog.=) 'd' THEN typbasetype \
                         WHEN typcategory OPERATOR(pg_catalog.=) 'A' THEN typelem END FROM pg_catalog.pg_type \
    ), types (type, made_of) AS ( \
        SELECT p.* FROM the_column JOIN parts p ON p.type OPERATOR(pg_catalog.=) atttypid \
        UNION ALL \
        SELECT p.* FROM types JOIN parts p ON p.type OPERATOR(pg_catalog.=) types.made_of \
    ), checks AS ( \
        SELECT c.* FROM pg_catalog.pg_constraint c \
        WHERE c.contype OPERATOR(pg_catalog.=) 'c' AND NOT EXISTS ( \
            SELECT FROM pg_catalog.pg_depend d \
            WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
              AND d.objid OPERATOR(pg_catalog.=) c.oid \
              AND d.refclassid OPERATOR(pg_catalog.=) \
                  ANY (ARRAY['pg_catalog.pg_operator', 'pg_catalog.pg_proc']::pg_catalog.regclass[]) \
              AND NOT EXISTS ( \
                  SELECT FROM pg_catalog.pg_depend e \
                  WHERE e.classid OPERATOR(pg_catalog.=) d.refclassid AND e.objid OPERATOR(pg_catalog.=) d.refobjid \
                    AND e.deptype OPERATOR(pg_catalog.=) 'e')) \
    ) \
    SELECT pg_catalog.pg_get_constraintdef(c.oid) AS condition, true AS of_type, c.convalidated AS is_validated \
    FROM types JOIN checks c ON c.contypid OPERATOR(pg_catalog.=) type \
    UNION ALL \
    SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(c.oid), ( \
               SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(of_domain.oid), ' '::pg_catalog.text) \
               FROM pg_catalog.pg_depend d \
               JOIN checks of_domain ON of_domain.contypid OPERATOR(pg_catalog.=) d.refobjid \
               WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
                 AND d.objid OPERATOR(pg_catalog.=) c.oid \
                 AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass \
           )), false, c.convalidated \
    FROM the_column JOIN checks c \
         ON c.conrelid OPERATOR(pg_catalog.=) attrelid \
            AND c.conkey OPERATOR(pg_catalog.=) ARRAY[attnum] \
    ORDER BY is_validated DESC, of_type DESC";

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    condition: String,
    #[diesel(sql_type = Bool)]
    of_type: bool,
    #[diesel(sql_type = Bool)]
    is_validated: bool,
}
