//! Settings of a server that a session of the task must not keep.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool};
use diesel_encrypted::reencrypt::{Outcome, Refusal, Task};

use crate::backend::{Conn, TEXT, TestDatabase, is_mariadb, settings};
use crate::suite::sql::number;
use crate::support::keys::keyring;
use crate::support::private_server::PrivateServer;

/// Gives every connection these settings, as the configuration of a server would.
#[derive(Debug)]
struct Set(String);

impl CustomizeConnection<Conn, Error> for Set {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), Error> {
        conn.batch_execute(&format!("set session {}", self.0)).map_err(Error::QueryError)
    }
}

fn pool(db: &TestDatabase, set: &str) -> Pool<ConnectionManager<Conn>> {
    let customizer = Box::new(Set(set.to_owned()));
    Pool::builder().max_size(3).connection_customizer(customizer).build(ConnectionManager::new(db.url())).unwrap()
}

fn fill(conn: &mut Conn, rows: usize) {
    conn.batch_execute(&format!("create table t (id int primary key, secret {TEXT}, other {TEXT})")).unwrap();
    let token = keyring([1]).encrypt(b"x");
    let rows: Vec<String> = (0..rows).map(|id| format!("({id}, '{token}', 'x')")).collect();
    conn.batch_execute(&format!("insert into t values {}", rows.join(", "))).unwrap();
}

fn task<'a>() -> Task<'a> {
    Task::new(keyring([2, 1])).target("t.secret".parse().unwrap())
}

#[test]
fn settings_that_limit_or_change_statements() {
    let common = [
        "sql_safe_updates = 1",
        "max_join_size = 10",
        "max_join_size = 10, sql_big_selects = 0",
        "sql_select_limit = 3",
        "sql_select_limit = 1",
        "completion_type = 1",
        "completion_type = 2",
        "foreign_key_checks = 0, unique_checks = 0",
        "autocommit = 0",
        "autocommit = 0, completion_type = 1",
        "sql_mode = ''",
        "sql_mode = 'ANSI'",
        "sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE'",
        "sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "sql_mode = 'TRADITIONAL,ONLY_FULL_GROUP_BY,PAD_CHAR_TO_FULL_LENGTH'",
        "sql_quote_show_create = 0",
        "sql_auto_is_null = 1",
        "transaction_isolation = 'SERIALIZABLE'",
        "time_zone = '-11:00'",
        "lc_messages = 'de_DE'",
        "max_sort_length = 64",
    ];
    let of_mariadb = [
        "sql_mode = 'ORACLE'",
        "sql_mode = 'MSSQL'",
        "sql_mode = 'EMPTY_STRING_IS_NULL,SIMULTANEOUS_ASSIGNMENT'",
        "check_constraint_checks = 0",
        "max_statement_time = 0.5",
        "idle_transaction_timeout = 1, idle_readonly_transaction_timeout = 1",
    ];
    let of_mysql = ["max_execution_time = 1"];
    let others: &[&str] = if is_mariadb() { &of_mariadb } else { &of_mysql };
    for set in common.iter().chain(others) {
        // The name of the setting differs between versions.
        let set = if is_mariadb() { set.replace("transaction_isolation", "tx_isolation") } else { (*set).to_owned() };
        let db = TestDatabase::new();
        fill(&mut db.conn(), 300);
        let pool = pool(&db, &set);
        let before = settings(&mut pool.get().unwrap());
        let report = task().run(&pool).unwrap_or_else(|error| panic!("{set}: {error}"));
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 300), "{set}");
        assert_eq!(number(&mut db.conn(), "select count(*) from t where other = 'x'"), 300, "{set}");
        // Every connection has its own settings again.
        let conns: Vec<_> = std::iter::from_fn(|| pool.try_get()).collect();
        for mut conn in conns {
            let after = settings(&mut conn);
            let changed: Vec<_> = after.iter().filter(|setting| !before.contains(setting)).collect();
            assert!(changed.is_empty(), "{set}: {changed:?}");
        }
    }
}

#[test]
fn a_session_that_may_only_read() {
    let db = TestDatabase::new();
    fill(&mut db.conn(), 3);
    let name = if is_mariadb() { "tx_read_only" } else { "transaction_read_only" };
    let error = task().run(&pool(&db, &format!("{name} = 1"))).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::ReadOnly { .. })), "{error}");
}

/// The server speaks German, and a locked table is waited for as in English.
#[test]
fn a_locked_table_in_german() {
    let db = TestDatabase::new();
    fill(&mut db.conn(), 30);
    let mut other = db.conn();
    other.batch_execute("begin; select * from t for update").unwrap();
    let unlock = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(2));
        other.batch_execute("commit").unwrap();
    });
    let report = task().run(&pool(&db, "lc_messages = 'de_DE'")).unwrap();
    unlock.join().unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 30));
}

/// InnoDB refuses every write at READ COMMITTED if the server logs statements. Only some users may change that.
#[test]
fn a_log_of_statements() {
    let server = PrivateServer::mysql(&["--log-bin", "--binlog-format=STATEMENT", "--server-id=7"]);
    let mut conn = Conn::establish(&server.url("mysql")).unwrap();
    conn.batch_execute(
        "create database app; create user limited identified by 'pass@word'; grant all on app.* to limited; \
         grant process on *.* to limited",
    )
    .unwrap();
    fill(&mut Conn::establish(&server.url("app")).unwrap(), 30);
    let pool = |url: String| Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(url)).unwrap();
    let error = task().run(&pool(server.url_as("limited", "app"))).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::Setting { .. })), "{error}");
    assert!(error.to_string().contains("binlog_format is STATEMENT"), "{error}");
    let pool = pool(server.url("app"));
    assert!(task().run(&pool).unwrap().is_proven());
    let shown = "select cast(@@binlog_format = 'STATEMENT' as signed)";
    assert_eq!(number(&mut pool.get().unwrap(), shown), 1);
}
