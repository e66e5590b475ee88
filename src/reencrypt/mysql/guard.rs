//! Guards on MySQL and MariaDB: a CHECK of the table or of the column.

use diesel::connection::{Connection, LoadConnection};
use diesel::deserialize::QueryableByName;
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::sql_types::Text;
use diesel::{RunQueryDsl, sql_query};

use super::super::guard_kind::{GuardKind, is_among_checks};
use super::super::sql::{Fields, Sql};
use crate::target::TableName;
use crate::words::Flavor;

/// Read from the statement that makes the table: `information_schema` hides the CHECKs from who may not alter it.
pub(super) fn guard<C>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    let schema = match table.schema() {
        Some(schema) => Some(schema.to_owned()),
        None => Sql::new("SELECT DATABASE()").first(conn)?,
    };
    let schema = schema.unwrap_or_default();
    let found: Vec<Fields> = Sql::new(TABLE).bind(&schema).bind(table.name()).load(conn)?;
    if found.is_empty() {
        return Ok(None);
    }
    let [schema, name] = [&schema, table.name()].map(|name| format!("`{}`", name.replace('`', "``")));
    let statement: Statement = sql_query(format!("SHOW CREATE TABLE {schema}.{name}")).get_result(conn)?;
    let is_guarded = is_among_checks(Flavor::Mysql, &statement.sql, column).unwrap_or(false);
    Ok(is_guarded.then_some(GuardKind::Check))
}

const TABLE: &str = "\
    SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
    WHERE table_schema = ? AND table_name = ? AND table_type <> 'VIEW'";

#[derive(QueryableByName)]
struct Statement {
    #[diesel(sql_type = Text, column_name = "Create Table")]
    sql: String,
}
