//! Settings that a role or a database brings along, and that a session of the task must not keep.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, Refusal, Task};

use crate::backend::TestDatabase;
use crate::support::keys::keyring;
use crate::support::unique_name;

fn set(db: &TestDatabase, setting: &str) {
    let url = db.url();
    let name = url.rsplit_once('/').unwrap().1;
    db.conn().batch_execute(&format!("alter database {name} set {setting}")).unwrap();
}

fn fill(db: &TestDatabase) {
    let conn = &mut db.conn();
    conn.batch_execute(
        "create table t (a bytea, b timestamptz, c float8, d interval, secret text, primary key (a, b, c, d))",
    )
    .unwrap();
    for id in 1..=60 {
        let token = keyring([1]).encrypt(b"x");
        let key = format!(
            "'\\x5c{id:02x}', '2026-02-03 04:05:06.000001+00'::timestamptz + '{id} s', {id} / 3.0e0, '1 mon {id} s'"
        );
        conn.batch_execute(&format!("insert into t values ({key}, '{token}')")).unwrap();
    }
}

#[test]
fn settings_that_change_how_values_read() {
    for setting in [
        "bytea_output = escape",
        "extra_float_digits = -15",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "timezone = 'Asia/Kathmandu'",
        "standard_conforming_strings = off",
        "backslash_quote = off",
        "quote_all_identifiers = on",
        "transform_null_equals = on",
        "array_nulls = off",
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "statement_timeout = '100ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '100ms'",
        "enable_indexscan = off",
        "lc_messages = 'de_DE.UTF-8'",
    ] {
        let db = TestDatabase::new();
        fill(&db);
        set(&db, setting);
        let task = Task::new(keyring([2, 1])).target("public.t.secret".parse().unwrap()).stateless(true).batch_size(8);
        let report = task.run(&db.pool(3)).unwrap_or_else(|error| panic!("{setting}: {error}"));
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 60), "{setting}");
    }
}

#[test]
fn a_database_that_is_read_only_by_default() {
    let db = TestDatabase::new();
    fill(&db);
    set(&db, "default_transaction_read_only = on");
    let error = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&db.pool(3)).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::ReadOnly { .. })), "{error}");
    assert!(error.to_string().contains("default_transaction_read_only"), "{error}");
}

/// A user without privileges on the whole table locks it by reading it, after the snapshot. A table that is rewritten
/// between the two would read as empty, and an empty table is proven at once.
#[test]
fn a_table_that_is_rewritten_while_the_snapshot_is_taken() {
    use diesel::r2d2::{ConnectionManager, Pool};

    use crate::backend::{Conn, LimitedUser};
    use crate::suite::sql::is_true;

    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute("create table t (id int primary key, secret text); create table other ()").unwrap();
    let token = keyring([1]).encrypt(b"x");
    conn.batch_execute(&format!("insert into t values (1, '{token}')")).unwrap();
    let user = LimitedUser::new(&db, &["other"]);
    conn.batch_execute(&format!("grant select (id, secret) on t to {}", user.name())).unwrap();
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(user.url())).unwrap();
    let name = unique_name();
    conn.batch_execute(&format!("begin; alter table t add column {name} text default clock_timestamp()::text"))
        .unwrap();
    std::thread::scope(|threads| {
        let status = threads.spawn(|| Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).status(&pool));
        let mut other = db.conn();
        let waits =
            "exists (select from pg_locks where relation = 't'::regclass and mode = 'AccessShareLock' and not granted)";
        while !is_true(&mut other, waits) {}
        conn.batch_execute("commit").unwrap();
        let status = status.join().unwrap().unwrap();
        assert_eq!(status.columns[0].keys[1].values, 1);
    });
}
