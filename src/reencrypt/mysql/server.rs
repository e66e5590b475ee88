//! What differs between the servers of this backend.

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::mysql::Mysql;
use diesel::result::{Error as DieselError, QueryResult};

use super::super::sql::{Fields, Sql};

/// Whether this is MariaDB; otherwise it is MySQL.
pub(crate) fn is_mariadb<C>(conn: &mut C) -> QueryResult<bool>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    Ok(Sql::new("SELECT VERSION()").first(conn)?.is_some_and(|version| version.contains("MariaDB")))
}

/// The statement that makes this table. Of MariaDB only: before a prepared statement has run, MySQL does not say which
/// columns a `SHOW` has, and Diesel has to know them.
pub(crate) fn show_create<C>(conn: &mut C, schema: &str, table: &str) -> QueryResult<String>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    let [schema, table] = [schema, table].map(|name| format!("`{}`", name.replace('`', "``")));
    let rows: Vec<Fields> = Sql::new(format!("SHOW CREATE TABLE {schema}.{table}")).load(conn)?;
    rows.into_iter().next().and_then(|mut row| row.take(1)).ok_or(DieselError::NotFound)
}

/// An expression of MySQL's catalogue, where its quotes and backslashes are escaped once more than in `SHOW CREATE TABLE`.
pub(crate) fn unescaped(expression: &str) -> String {
    let mut characters = expression.chars();
    let next = || {
        Some(match characters.next()? {
            '\\' => characters.next()?,
            character => character,
        })
    };
    std::iter::from_fn(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_without_its_escapes() {
        assert_eq!(unescaped(r"(`b` like _utf8mb3\'it\\\'s\\\\_%\')"), r"(`b` like _utf8mb3'it\'s\\_%')");
    }
}
