//! A server that speaks German. `bin/with-servers` provides the locale.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Outcome, Refusal, Report, Task, TaskError};

use crate::backend::{Conn, LimitedUser, TestDatabase, create_with_a_row_against_a_check};
use crate::support::keys::keyring;

fn german() -> TestDatabase {
    let db = TestDatabase::new();
    let url = db.url();
    let name = url.rsplit_once('/').unwrap().1;
    db.conn().batch_execute(&format!("alter database {name} set lc_messages = 'de_DE.UTF-8'")).unwrap();
    let error = db.conn().batch_execute("select none").unwrap_err().to_string();
    assert!(error.contains("existiert nicht"), "this server has no German: {error}");
    db
}

fn fill(db: &TestDatabase, rows: i32) {
    let conn = &mut db.conn();
    conn.batch_execute("create table t (id int primary key, secret text)").unwrap();
    for id in 1..=rows {
        let token = keyring([1]).encrypt(b"x");
        conn.batch_execute(&format!("insert into t values ({id}, '{token}')")).unwrap();
    }
}

fn run(pool: &Pool<ConnectionManager<Conn>>) -> Result<Report, TaskError> {
    Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(pool)
}

/// With one connection the session cannot provoke a lock conflict, and takes every unknown error for one that may pass.
#[test]
fn a_table_that_is_locked_for_a_while() {
    for (lock, connections) in [
        ("lock table t in exclusive mode", 3),
        ("lock table t in exclusive mode", 1),
        ("select * from t for update", 3),
        ("select * from t for update", 1),
    ] {
        let db = german();
        fill(&db, 30);
        let mut other = db.conn();
        other.batch_execute(&format!("begin; {lock}")).unwrap();
        let unlock = thread::spawn(move || {
            thread::sleep(Duration::from_secs(3));
            other.batch_execute("commit").unwrap();
        });
        let report = run(&db.pool(connections)).unwrap();
        unlock.join().unwrap();
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 30), "{lock}, {connections}");
    }
}

#[test]
fn a_table_that_is_locked_between_the_check_and_the_writes() {
    for connections in [1, 3] {
        let db = german();
        fill(&db, 200);
        let mut other = Some(db.conn());
        let observer = move |_: &diesel_encrypted::reencrypt::Progress| {
            let Some(mut other) = other.take() else { return };
            other.batch_execute("begin; lock table t in exclusive mode").unwrap();
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(2));
                other.batch_execute("commit").unwrap();
            });
        };
        let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).on_progress(observer);
        let report = task.batch_size(1).max_rows_per_second(200).run(&db.pool(connections)).unwrap();
        assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 200), "{connections}");
    }
}

#[test]
fn a_row_against_a_check_does_not_stop_the_others() {
    let db = german();
    let row = |id: i32, n: i32| format!("({id}, {n}, '{}')", keyring([1]).encrypt(b"x"));
    let rows = (1..=22).map(|id| row(id, if id % 2 == 0 { -1 } else { 1 })).collect::<Vec<_>>().join(", ");
    create_with_a_row_against_a_check(&mut db.conn(), &rows);
    let report = run(&db.pool(3)).unwrap();
    let column = &report.columns()[0];
    assert_eq!((report.outcome(), column.rewritten, column.busy), (Outcome::Incomplete, 11, 11));
}

/// The message of a trigger is in nobody's catalogue.
#[test]
fn a_trigger_that_refuses_rows() {
    let db = german();
    fill(&db, 22);
    db.conn()
        .batch_execute(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin if new.id % 2 = 0 then raise 'nein'; end if; return new; end $$;
             create trigger refuse before update on t for each row execute function refuse()",
        )
        .unwrap();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).accept_triggers(true);
    let report = task.run(&db.pool(3)).unwrap();
    let column = &report.columns()[0];
    assert_eq!((report.outcome(), column.rewritten, column.busy), (Outcome::Incomplete, 11, 11));
}

#[test]
fn a_missing_privilege_ends_the_run_at_once() {
    let db = german();
    fill(&db, 3);
    db.conn().batch_execute("create table other ()").unwrap();
    let user = LimitedUser::new(&db, &["other"]);
    db.conn().batch_execute(&format!("grant select on t to {}", user.name())).unwrap();
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(user.url())).unwrap();
    let started = Instant::now();
    let error = run(&pool).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::Denied { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    // The walk itself notices, too: this one only reads.
    db.conn().batch_execute(&format!("revoke select on t from {}", user.name())).unwrap();
    let started = Instant::now();
    let error = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).status(&pool).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::Denied { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}
