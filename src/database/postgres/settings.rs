//! Settings of a session of PostgreSQL.

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Text};
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::SessionSettings;
use crate::database::sql::Conn;

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
        // Row-level security would silently hide rows. Switched off, it causes an error.
        ("row_security", "off"),
        // Row keys are sent and returned as text, which must stand for the same value.
        ("bytea_output", "hex"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "3"),
    ];
    const PATIENT: (&'static str, &'static str) = ("lock_timeout", "10s");

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let names: Vec<&str> = Self::SETTINGS.iter().map(|(name, _)| *name).collect();
        let settings = sql_query("SELECT name, current_setting(name) AS value FROM unnest($1) AS name")
            .bind::<Array<Text>, _>(names)
            .load::<Setting>(conn)?;
        Ok(settings.into_iter().map(|setting| (setting.name, setting.value)).collect())
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let set = sql_query("SELECT set_config($1, $2, false)").bind::<Text, _>(name).bind::<Text, _>(value);
        set.execute(conn).map(drop)
    }
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    value: String,
}
