//! Guards on MySQL and MariaDB: a CHECK of the table or of the column.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::dialect::GuardLookup;
use crate::database::guard_kind::{GuardKind, is_among_checks};
use crate::database::mysql::server::{is_of_mariadb, show_create, unescaped};
use crate::database::sql::{Conn, Sql};
use crate::database::words::Flavor;
use crate::targets::TableName;

impl GuardLookup for Mysql {
    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
        let schema = match table.schema() {
            Some(schema) => Some(schema.to_owned()),
            None => Sql::new("SELECT DATABASE()").first(conn)?,
        };
        let schema = schema.unwrap_or_default();
        let Some(version) = Sql::new(TABLE).bind(&schema).bind(table.name()).first(conn)? else { return Ok(None) };
        let statements = if is_of_mariadb(&version) {
            // MariaDB's `information_schema` hides the CHECKs from users who may not alter the table.
            vec![show_create(conn, table)?]
        } else {
            let clauses = Sql::new(CHECKS).bind(&schema).bind(table.name()).column(conn)?;
            clauses.iter().map(|clause| format!("CHECK {}", unescaped(clause))).collect()
        };
        let is_guard = |sql: &String| is_among_checks(Flavor::Mysql, sql, column).unwrap_or(false);
        Ok(statements.iter().any(is_guard).then_some(GuardKind::Check))
    }
}

/// The server's version, if there is such a table.
const TABLE: &str = "\
    SELECT VERSION() FROM information_schema.tables \
    WHERE table_schema = ? AND table_name = ? AND table_type <> 'VIEW'";

/// MySQL shows each condition in parentheses.
const CHECKS: &str = "\
    SELECT c.check_clause FROM information_schema.table_constraints t \
    JOIN information_schema.check_constraints c USING (constraint_schema, constraint_name) \
    WHERE t.table_schema = ? AND t.table_name = ? AND t.constraint_type = 'CHECK' AND t.enforced = 'YES'";
