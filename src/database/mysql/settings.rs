//! Settings of a session of MySQL and MariaDB.

use diesel::deserialize::QueryableByName;
use diesel::mysql::Mysql;
use diesel::result::{OptionalExtension, QueryResult};
use diesel::sql_types::Text;
use diesel::{RunQueryDsl, sql_query};

use crate::database::dialect::SessionSettings;
use crate::database::sql::Conn;

/// MySQL waits for at least a second, and refuses 0.
pub(crate) const NO_WAIT: &str = "IF(VERSION() LIKE '%MariaDB%', 0, 1)";

impl SessionSettings for Mysql {
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // In REPEATABLE READ an update locks gaps between rows, and the application's inserts wait.
        // The name differs between MySQL and MariaDB.
        ("tx_isolation", "READ-COMMITTED"),
        ("transaction_isolation", "READ-COMMITTED"),
        // Not at all: a locked row makes the swap fail, which then leaves such rows out.
        ("innodb_lock_wait_timeout", NO_WAIT),
        // Of a page, which takes milliseconds. MariaDB's, in seconds.
        ("max_statement_time", "15"),
        // What a suspended process has locked is the application's again after so many seconds. MariaDB's.
        ("idle_write_transaction_timeout", "5"),
        // Without a strict mode a value that is too long is cut off without a word.
        ("sql_mode", "STRICT_ALL_TABLES"),
        // Without it everything would be rolled back at the end.
        ("autocommit", "1"),
        // By default a sort looks at the first 1024 bytes of a text only.
        ("max_sort_length", "IF(VERSION() LIKE '%MariaDB%', 8388608, 65536)"),
        // MySQL refuses a sort of which 15 rows do not fit into the buffer. Its indexes end at 3072 bytes.
        (
            "sort_buffer_size",
            "IF(VERSION() LIKE '%MariaDB%', @@sort_buffer_size, CAST(GREATEST(@@sort_buffer_size, 16777216) AS UNSIGNED))",
        ),
        // The messages by which a lock is known.
        ("lc_messages", "en_US"),
        // A TIMESTAMP in a row key must come back as the same moment.
        ("time_zone", "+00:00"),
    ];
    const PATIENT: (&'static str, &'static str) = ("innodb_lock_wait_timeout", "10");

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for (name, _) in Self::SETTINGS {
            let setting = sql_query(format!("SHOW SESSION VARIABLES WHERE Variable_name = '{name}'"));
            let setting = setting.get_result::<Setting>(conn).optional()?;
            settings.extend(setting.map(|setting| (setting.name, setting.value)));
        }
        Ok(settings)
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let value = match value.parse::<f64>() {
            Err(_) if !value.starts_with("IF(") => format!("'{}'", value.replace('\'', "''")),
            // A number in quotes is refused for a numeric variable.
            _ => value.to_owned(),
        };
        sql_query(format!("SET SESSION {name} = {value}")).execute(conn).map(drop)
    }
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text, column_name = "Variable_name")]
    name: String,
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}
