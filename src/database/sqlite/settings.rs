//! Settings of a session of SQLite.

use diesel::RunQueryDsl;
use diesel::dsl::sql;
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use crate::database::dialect::SessionSettings;
use crate::database::sql::Conn;

impl SessionSettings for Sqlite {
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // There is one writer at a time, so the task waits this many milliseconds for the application.
        ("busy_timeout", "5000"),
    ];
    const PATIENT: (&'static str, &'static str) = ("busy_timeout", "10000");

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let timeout: i64 = sql::<BigInt>("PRAGMA busy_timeout").get_result(conn)?;
        Ok(vec![("busy_timeout".into(), timeout.to_string())])
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        conn.batch_execute(&format!("PRAGMA {name} = {value}"))
    }
}
