//! The differences between MySQL and MariaDB.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use diesel::mysql::Mysql;
use diesel::result::{Error as DieselError, QueryResult};

use crate::database::quote::quoted_table;
use crate::database::{Conn, Fields, Sql};
use crate::targets::TableName;

pub(crate) fn is_mariadb<C: Conn<Mysql>>(conn: &mut C) -> QueryResult<bool> {
    Ok(Sql::new("SELECT VERSION()").first(conn)?.is_some_and(|version| is_of_mariadb(&version)))
}

pub(crate) fn is_of_mariadb(version: &str) -> bool {
    version.contains("MariaDB")
}

/// Variables or status values, by their names in lower case. One that is missing or hidden is empty.
pub(crate) struct Shown(BTreeMap<String, String>);

impl Shown {
    pub(crate) fn of<C: Conn<Mysql>>(conn: &mut C, show: &str, names: &[&str]) -> QueryResult<Self> {
        let names = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let show = format!("{show} WHERE Variable_name IN ({names})");
        let rows = unlimited(conn, |conn| Sql::new(show).texts(conn))?;
        Ok(Self(rows.into_iter().map(|[name, value]| (name.to_ascii_lowercase(), value)).collect()))
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(&name.to_ascii_lowercase()).map_or("", String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)], changes: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().chain(changes);
        Self(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// Runs `query` on a connection that may have no settings of the task. `sql_select_limit` hides rows, of a `SHOW` too, and
/// `max_join_size` refuses even small queries of the catalogue. `SET` never waits for the other nodes of a cluster.
pub(crate) fn unlimited<C: Conn<Mysql>, T, E: From<DieselError>>(
    conn: &mut C,
    query: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, E> {
    conn.batch_execute(
        "SET @diesel_encrypted_big = @@SESSION.sql_big_selects, @diesel_encrypted_limit = @@SESSION.sql_select_limit, \
         SESSION sql_big_selects = 1, SESSION sql_select_limit = 18446744073709551615",
    )?;
    let result = query(conn);
    conn.batch_execute(
        "SET SESSION sql_big_selects = @diesel_encrypted_big, SESSION sql_select_limit = @diesel_encrypted_limit, \
         @diesel_encrypted_big = NULL, @diesel_encrypted_limit = NULL",
    )?;
    result
}

/// The statement that creates this table, for MariaDB only. Diesel has to know the columns of a `SHOW` before it runs, and
/// MySQL does not describe them.
pub(crate) fn show_create<C: Conn<Mysql>>(conn: &mut C, table: &TableName) -> QueryResult<String> {
    let rows: Vec<Fields> = Sql::new(format!("SHOW CREATE TABLE {}", quoted_table::<Mysql>(table))).load(conn)?;
    rows.into_iter().next().and_then(|mut row| row.take(1)).ok_or(DieselError::NotFound)
}

/// An expression from MySQL's catalogue, which escapes quotes and backslashes once more than `SHOW CREATE TABLE`.
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
