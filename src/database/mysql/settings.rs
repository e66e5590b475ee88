//! Settings of a session of MySQL and MariaDB.

use diesel::mysql::Mysql;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::{RunQueryDsl, sql_query};

use crate::database::mysql::server::{Shown, unlimited};
use crate::database::{Conn, SessionSettings, Sql};

/// MySQL waits for at least a second, and refuses 0.
pub(crate) const NO_WAIT: &str = "IF(VERSION() LIKE '%MariaDB%', 0, 1)";

impl SessionSettings for Mysql {
    const SETTINGS: &'static [(&'static str, &'static str)] = &[
        // In REPEATABLE READ an update locks the gaps between rows, and the application's inserts wait.
        // The name differs between MySQL and MariaDB.
        ("tx_isolation", "READ-COMMITTED"),
        ("transaction_isolation", "READ-COMMITTED"),
        // The swap does not wait: it fails if a row is locked. The next swap skips such rows.
        ("innodb_lock_wait_timeout", NO_WAIT),
        // A page takes only milliseconds. Only MariaDB has this setting, in seconds.
        ("max_statement_time", "15"),
        // After this many seconds, the server releases the locks of a suspended process. Only MariaDB has this setting.
        ("idle_write_transaction_timeout", "5"),
        // Without a strict mode the server silently truncates a value that is too long.
        // A row key may be a date that does not exist, such as 2026-02-31. Otherwise, a cast would turn it into NULL.
        ("sql_mode", "STRICT_ALL_TABLES,ALLOW_INVALID_DATES"),
        // Without autocommit, the server would roll everything back at the end.
        ("autocommit", "1"),
        // With CHAIN or RELEASE, the end of a transaction would begin another one, or close the connection.
        ("completion_type", "0"),
        // The task reads every row. A limit on the work of a statement would refuse that, or hide rows.
        ("sql_safe_updates", "0"),
        ("sql_big_selects", "1"),
        ("sql_select_limit", "18446744073709551615"),
        // Only MySQL has this setting.
        ("max_execution_time", "0"),
        // Without the checks, a write could leave a duplicate, or a row without its parent.
        ("unique_checks", "1"),
        ("foreign_key_checks", "1"),
        // Only MariaDB has these. A worker may keep its snapshot while it waits for the others.
        ("check_constraint_checks", "1"),
        ("idle_transaction_timeout", "IF(@@idle_transaction_timeout = 0, 0, 3600)"),
        ("idle_readonly_transaction_timeout", "IF(@@idle_readonly_transaction_timeout = 0, 0, 3600)"),
        // Guards are read from statements in which names are in quotes.
        ("sql_quote_show_create", "1"),
        ("sql_auto_is_null", "0"),
        // By default a sort compares only the first 1024 bytes of a text.
        ("max_sort_length", "IF(VERSION() LIKE '%MariaDB%', 8388608, 65536)"),
        // MySQL refuses a sort if the buffer cannot hold 15 rows. A row key has at most 3072 bytes, because an index
        // holds no more.
        (
            "sort_buffer_size",
            "IF(VERSION() LIKE '%MariaDB%', @@sort_buffer_size, CAST(GREATEST(@@sort_buffer_size, 16777216) AS UNSIGNED))",
        ),
        // The crate recognizes a lock conflict by the English message.
        ("lc_messages", "en_US"),
        // A TIMESTAMP in a row key must come back as the same moment.
        ("time_zone", "+00:00"),
    ];
    const PATIENT: (&'static str, &'static str) = ("innodb_lock_wait_timeout", "10");

    fn settings<C: Conn<Self>>(conn: &mut C) -> QueryResult<Vec<(String, String)>> {
        let names: Vec<String> = Self::SETTINGS.iter().map(|(name, _)| format!("'{name}'")).collect();
        let names = names.join(", ");
        let show = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({names})");
        let shown = unlimited(conn, |conn| Sql::new(show).texts(conn))?;
        let mut settings: Vec<_> = shown.into_iter().map(|[name, value]| (name, value)).collect();
        // `unlimited` has changed these two. A LIMIT of its own goes before that of the session.
        let limits = "SELECT CAST(@@SESSION.sql_big_selects AS CHAR), CAST(@@SESSION.sql_select_limit AS CHAR) LIMIT 1";
        for [big_selects, select_limit] in Sql::new(limits).texts(conn)? {
            settings.retain(|(name, _)| name != "sql_big_selects" && name != "sql_select_limit");
            settings.push(("sql_big_selects".into(), big_selects));
            settings.push(("sql_select_limit".into(), select_limit));
        }
        // Needs a privilege. Without it, `forbids_writes` names the setting.
        if logs_statements(conn)? && Self::set(conn, BINLOG_FORMAT, "MIXED").is_ok() {
            settings.push((BINLOG_FORMAT.into(), STATEMENT.into()));
        }
        Ok(settings)
    }

    fn set<C: Conn<Self>>(conn: &mut C, name: &str, value: &str) -> QueryResult<()> {
        let value = match value.parse::<f64>() {
            Err(_) if !value.starts_with("IF(") => format!("'{}'", value.replace('\'', "''")),
            // A numeric variable refuses a number in quotes.
            _ => value.to_owned(),
        };
        sql_query(format!("SET SESSION {name} = {value}")).execute(conn).map(drop)
    }

    /// The `sql_mode` changes what the statements of this crate mean, and how `SHOW CREATE TABLE` writes a table.
    fn pinned<C: Conn<Self>, T, E: From<DieselError>>(
        conn: &mut C,
        query: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        unlimited(conn, |conn| {
            let former = Sql::new("SELECT CAST(@@SESSION.sql_mode AS CHAR(1000))").first(conn)?;
            Self::set(conn, "sql_mode", "STRICT_ALL_TABLES")?;
            let result = query(conn);
            let restored = former.map_or(Ok(()), |former| Self::set(conn, "sql_mode", &former));
            let value = result?;
            restored?;
            Ok(value)
        })
    }

    fn forbids_writes<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<String>> {
        let reason = "binlog_format is STATEMENT, and InnoDB cannot log the statements of the task in this format. Set \
            binlog_format to MIXED or ROW on the server, or grant this user the privilege to set it";
        Ok(logs_statements(conn)?.then(|| reason.to_owned()))
    }

    fn is_encrypted<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<bool>> {
        let ciphers = Sql::new("SHOW SESSION STATUS LIKE 'Ssl_cipher'").texts(conn)?;
        Ok(Some(ciphers.iter().any(|[_, cipher]| !cipher.is_empty())))
    }
}

const BINLOG_FORMAT: &str = "binlog_format";
const STATEMENT: &str = "STATEMENT";

/// Whether the server logs the text of statements. InnoDB then refuses every write at READ COMMITTED.
fn logs_statements<C: Conn<Mysql>>(conn: &mut C) -> QueryResult<bool> {
    let shown = Shown::of(conn, "SHOW SESSION VARIABLES", &["log_bin", "sql_log_bin", BINLOG_FORMAT])?;
    Ok(shown.get("log_bin") == "ON" && shown.get("sql_log_bin") == "ON" && shown.get(BINLOG_FORMAT) == STATEMENT)
}

/// Runs a statement that reads a whole table. MySQL has no limit to lift.
pub(crate) fn without_limit<C: Conn<Mysql>, T>(
    conn: &mut C,
    query: impl FnOnce(&mut C) -> QueryResult<T>,
) -> QueryResult<T> {
    let limit = Mysql::SETTINGS.iter().find(|(name, _)| *name == "max_statement_time");
    let is_limited = limit.is_some_and(|(name, _)| Mysql::set(conn, name, "0").is_ok());
    let result = query(conn);
    if let Some((name, value)) = limit.filter(|_| is_limited) {
        Mysql::set(conn, name, value)?;
    }
    result
}
