//! Guards on SQLite: a CHECK in the text of the table.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::guard_kind::is_among_checks;
use crate::database::sqlite::catalogue::{MAIN, create_table};
use crate::database::{Conn, Flavor, GuardKind, GuardLookup};
use crate::targets::TableName;

impl GuardLookup for Sqlite {
    fn guard<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &str) -> QueryResult<Option<GuardKind>> {
        let sql = create_table(conn, table.schema().unwrap_or(MAIN), table.name())?.unwrap_or_default();
        Ok(is_among_checks(Flavor::Sqlite, &sql, column).unwrap_or(false).then_some(GuardKind::Check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_guarded(sql: &str, column: &str) -> Option<bool> {
        is_among_checks(Flavor::Sqlite, sql, column)
    }

    #[test]
    fn finds_the_guard_of_a_column_in_the_text_of_its_table() {
        let shipped = include_str!("../../../migrations/sqlite/2026-11-23-000100_create_people/up.sql");
        for (column, expected) in [("email", true), ("PHONE", true), ("photo", true), ("name", false), ("id", false)] {
            assert_eq!(is_guarded(shipped, column), Some(expected), "{column}");
        }
        let sql =
            "CREATE TABLE t (a TEXT CHECK (a LIKE 'gAAAA%'), b TEXT /* CHECK (b GLOB 'gAAAA A-Za-z0-9_-] 100') */)";
        assert_eq!((is_guarded(sql, "a"), is_guarded(sql, "b")), (Some(false), Some(false)));
    }
}
