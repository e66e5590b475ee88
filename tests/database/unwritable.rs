//! Rows that the task cannot write, on the databases that lock single rows.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Outcome, Progress, Task};

use crate::backend::{TestDatabase, create_with_a_row_against_a_check};
use crate::support::keys::keyring;

#[test]
fn a_locked_row_is_left_for_the_next_pass_and_the_others_are_written() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute("create table t (id int not null primary key, secret text)").unwrap();
    for id in 1..=8 {
        let token = keyring([1]).encrypt(b"x");
        conn.batch_execute(&format!("insert into t values ({id}, '{token}')")).unwrap();
    }
    // This application keeps its transaction open until the task has written every row but the locked one.
    let mut application = db.conn();
    application.batch_execute("begin").unwrap();
    diesel::sql_query("update t set secret = secret where id = 3").execute(&mut application).unwrap();
    let mut is_open = true;
    let observer = |progress: &Progress| {
        if progress.pass > 1 && std::mem::take(&mut is_open) {
            application.batch_execute("commit").unwrap();
        }
    };
    let report =
        Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).on_progress(observer).run(&db.pool(1)).unwrap();
    let column = &report.columns()[0];
    assert_eq!((report.outcome(), column.rewritten, column.busy), (Outcome::Proven, 8, 0));
    assert!(report.passes() > 1, "one left the locked row, another wrote it");
}

#[test]
fn a_row_that_the_database_refuses_to_change_does_not_stop_the_others() {
    let db = TestDatabase::new();
    let row = |id: i32, n: i32| format!("({id}, {n}, '{}')", keyring([1]).encrypt(b"x"));
    let rows = (1..=22).map(|id| row(id, if id % 2 == 0 { -1 } else { 1 })).collect::<Vec<_>>().join(", ");
    create_with_a_row_against_a_check(&mut db.conn(), &rows);
    // In the second run there are no other rows left.
    for rewritten in [11, 0] {
        let report = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&db.pool(1)).unwrap();
        let column = &report.columns()[0];
        assert_eq!((report.outcome(), column.rewritten, column.busy), (Outcome::Incomplete, rewritten, 11));
    }
}
