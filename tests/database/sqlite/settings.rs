//! Settings of a connection that the application has chosen.

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool};
use diesel_encrypted::reencrypt::{Outcome, Refusal, Report, Task, TaskError};

use crate::backend::{Conn, TestDatabase};
use crate::suite::sql::number;
use crate::support::keys::keyring;

#[derive(Debug)]
struct Set(&'static str);

impl CustomizeConnection<Conn, Error> for Set {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), Error> {
        conn.batch_execute(&format!("pragma {}", self.0)).map_err(Error::QueryError)
    }
}

fn run(db: &TestDatabase, set: &'static str) -> Result<Report, TaskError> {
    let customizer = Box::new(Set(set));
    let pool = Pool::builder().max_size(1).connection_customizer(customizer).build(ConnectionManager::new(db.url()));
    Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&pool.unwrap())
}

fn filled() -> TestDatabase {
    let db = TestDatabase::new();
    db.conn().batch_execute("create table t (id text primary key not null, secret text, other text)").unwrap();
    for id in 1..=60 {
        let token = keyring([1]).encrypt(b"x");
        db.conn().batch_execute(&format!("insert into t values ('a{id}', '{token}', 'x')")).unwrap();
    }
    db
}

#[test]
fn settings_that_change_statements() {
    for set in [
        "case_sensitive_like = on",
        "reverse_unordered_selects = on",
        "full_column_names = on",
        "short_column_names = off",
        "recursive_triggers = on",
        "foreign_keys = on",
        "defer_foreign_keys = on",
        "legacy_alter_table = on",
        "trusted_schema = off",
        "automatic_index = off",
        "read_uncommitted = on",
        "cell_size_check = on",
        "busy_timeout = 0",
        "locking_mode = exclusive",
        "temp_store = memory",
        "encoding = 'UTF-16'",
    ] {
        let db = filled();
        let report = run(&db, set).unwrap_or_else(|error| panic!("{set}: {error}"));
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 60), "{set}");
        assert_eq!(number(&mut db.conn(), "select count(*) from t where other = 'x'"), 60, "{set}");
    }
}

#[test]
fn a_connection_that_may_only_read() {
    let error = run(&filled(), "query_only = on").unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::ReadOnly { .. })), "{error}");
}

/// Only SQLite's own message is a lock. A trigger may say anything.
#[test]
fn a_trigger_that_speaks_of_locks() {
    let db = filled();
    let trigger = "create trigger refuse before update on t when new.id = 'a7' \
                   begin select raise(abort, 'the account is locked'); end";
    db.conn().batch_execute(trigger).unwrap();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).accept_triggers(true);
    let report = task.run(&db.pool(1)).unwrap();
    let column = &report.columns()[0];
    assert_eq!((report.outcome(), column.rewritten, column.busy), (Outcome::Incomplete, 59, 1));
}
