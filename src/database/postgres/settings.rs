//! Settings of a session of PostgreSQL.

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::{Array, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::postgres::path::{self, NOTED, PINNED, SEARCHED};
use crate::database::{Conn, SessionSettings, Sql};

impl SessionSettings for Pg {
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // A compare and swap must see the last committed value. In a snapshot it would fail.
        ("default_transaction_isolation", "read committed"),
        // The swap hardly waits: it fails if a row is locked. The next swap skips such rows.
        ("lock_timeout", "1ms"),
        // A page takes only milliseconds.
        ("statement_timeout", "15s"),
        // After this time, the server releases the locks of a suspended process.
        ("idle_in_transaction_session_timeout", "5s"),
        // See `path.rs`.
        ("search_path", PINNED),
        // Row-level security would silently hide rows. Switched off, it causes an error.
        ("row_security", "off"),
        // Row keys are sent and returned as text, which must stand for the same value.
        ("bytea_output", "hex"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "3"),
    ];
    const PATIENT: (&'static str, &'static str) = ("lock_timeout", "10s");

    /// Also notes the schemas that the application searches, because the task pins the path.
    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        Self::set(conn, NOTED, "")?;
        let searched = Sql::new(format!("SELECT ({SEARCHED})::pg_catalog.text")).first(conn)?;
        Self::set(conn, NOTED, &searched.unwrap_or_default())?;
        let names: Vec<&str> = Self::SETTINGS.iter().map(|(name, _)| *name).collect();
        let settings = sql_query(CURRENT).bind::<Array<Text>, _>(names).load::<Setting>(conn)?;
        let settings = settings.into_iter().map(|setting| (setting.name, setting.value));
        Ok(settings.chain([(NOTED.to_owned(), String::new())]).collect())
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let set = sql_query("SELECT pg_catalog.set_config($1::pg_catalog.text, $2::pg_catalog.text, false)");
        set.bind::<Text, _>(name).bind::<Text, _>(value).execute(conn).map(drop)
    }

    fn pinned<C: Conn<Self>, T, E: From<DieselError>>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        path::pinned(conn, query)
    }
}

const CURRENT: &str = "\
    SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name";

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    value: String,
}
