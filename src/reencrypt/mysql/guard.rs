//! Guards on MySQL and MariaDB: a CHECK of the table or of the column.

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use super::super::guard_kind::{GuardKind, is_guard};
use super::super::sql::{Fields, Sql};
use crate::target::TableName;

pub(super) fn guard<C>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    let version = Sql::new("SELECT VERSION()").first(conn)?.unwrap_or_default();
    let schema = match table.schema() {
        Some(schema) => Some(schema.to_owned()),
        None => Sql::new("SELECT DATABASE()").first(conn)?,
    };
    let checks = Sql::new(if version.contains("MariaDB") { CHECKS_OF_MARIADB } else { CHECKS });
    let checks: Vec<Fields> = checks.bind(schema.as_deref().unwrap_or_default()).bind(table.name()).load(conn)?;
    // Whoever shows a condition writes its names in these quotes.
    let name = format!("`{}`", column.replace('`', "``")).to_lowercase();
    let is_of_column = |condition: &String| is_guard(condition) && condition.to_lowercase().contains(&name);
    let is_guarded = checks.into_iter().filter_map(|mut row| row.take(0)).any(|condition| is_of_column(&condition));
    Ok(is_guarded.then_some(GuardKind::Check))
}

const CHECKS_OF_MARIADB: &str = "\
    SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = ? AND table_name = ?";

const CHECKS: &str = "\
    SELECT c.check_clause FROM information_schema.check_constraints c \
    JOIN information_schema.table_constraints t \
         ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name \
    WHERE t.table_schema = ? AND t.table_name = ? AND t.constraint_type = 'CHECK' AND t.enforced = 'YES'";
