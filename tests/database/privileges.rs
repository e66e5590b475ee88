//! Users with few privileges, on the databases that have any.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Outcome, Refusal, Report, StateTables, Task, TaskError, state_tables};

use crate::backend::{Conn, LimitedUser, TEXT, TestDatabase};
use crate::suite::sql::number;
use crate::support::keys::keyring;

/// A table `t` with a token under key 1, and a user who may do nothing with it.
fn vault() -> (TestDatabase, LimitedUser) {
    let db = TestDatabase::new();
    let token = keyring([1]).encrypt(b"x");
    let tables =
        format!("create table t (id int primary key, secret {TEXT}, name {TEXT}); create table other (id int)");
    db.conn().batch_execute(&format!("{tables}; insert into t (id, secret) values (1, '{token}')")).unwrap();
    let user = LimitedUser::new(&db, &["other"]);
    (db, user)
}

fn grant(db: &TestDatabase, user: &LimitedUser, privileges: &str) {
    db.conn().batch_execute(&format!("grant {privileges} to {}", user.name())).unwrap();
}

fn run(user: &LimitedUser, stateless: bool) -> Result<Report, TaskError> {
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(user.url())).unwrap();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).stateless(stateless);
    task.give_up_after(Duration::from_secs(30)).run(&pool)
}

/// The refusal comes at once and before the first write.
fn refused(db: &TestDatabase, user: &LimitedUser, stateless: bool) {
    let started = Instant::now();
    let error = run(user, stateless).unwrap_err();
    // MySQL and MariaDB do not show the columns of a row key that the user may not read.
    assert!(matches!(error.refusal(), Some(Refusal::Denied { .. } | Refusal::NoRowKey { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "it tried again");
    let pool = db.pool(1);
    let status = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).status(&pool).unwrap();
    assert_eq!(status.columns[0].keys[1].values, 1, "nothing is written");
}

#[test]
fn privileges_on_the_columns_are_enough() {
    let (db, user) = vault();
    grant(&db, &user, "select (id, secret), update (secret) on t");
    let report = run(&user, true).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 1));
}

#[test]
fn a_missing_privilege_is_found_before_the_first_write() {
    for privileges in ["select (id, secret)", "select (secret), update (secret)", "select (id, name), update (secret)"]
    {
        let (db, user) = vault();
        grant(&db, &user, &format!("{privileges} on t"));
        refused(&db, &user, true);
    }
}

#[test]
fn a_missing_privilege_on_the_tables_of_the_task() {
    for (table, privileges) in [
        ("__diesel_encrypted_run", "select"),
        ("__diesel_encrypted_chunk", "select, insert, update"),
        ("__diesel_encrypted_problem", "select, delete"),
    ] {
        let (db, user) = vault();
        let StateTables { create, .. } = state_tables::<<Conn as diesel::Connection>::Backend>();
        let create = create.join("; ");
        db.conn().batch_execute(&create).unwrap();
        grant(&db, &user, "select, update on t");
        for other in ["__diesel_encrypted_run", "__diesel_encrypted_chunk", "__diesel_encrypted_problem"] {
            let all = "select, insert, update, delete";
            grant(&db, &user, &format!("{} on {other}", if other == table { privileges } else { all }));
        }
        refused(&db, &user, false);
        assert_eq!(number(&mut db.conn(), "select count(*) from __diesel_encrypted_run"), 0);
        grant(&db, &user, &format!("insert, update, delete on {table}"));
        assert!(run(&user, false).unwrap().is_proven());
    }
}

/// A privilege that is revoked while the task runs ends it, too.
#[test]
fn a_privilege_that_goes_away() {
    let (db, user) = vault();
    for id in 2..=200 {
        let token = keyring([1]).encrypt(b"x");
        db.conn().batch_execute(&format!("insert into t (id, secret) values ({id}, '{token}')")).unwrap();
    }
    grant(&db, &user, "select, update on t");
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(user.url())).unwrap();
    let mut revoke = Some(format!("revoke update on t from {}", user.name()));
    let mut conn = db.conn();
    let observer = move |_: &diesel_encrypted::reencrypt::Progress| {
        if let Some(revoke) = revoke.take() {
            conn.batch_execute(&revoke).unwrap();
        }
    };
    let started = Instant::now();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).stateless(true).batch_size(1);
    let error = task.max_rows_per_second(100).on_progress(observer).run(&pool).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::Denied { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "it tried again");
}
