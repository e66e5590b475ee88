//! What makes a proof false, and must not: transactions that begin while it waits, and tables that change meanwhile.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Doubt, Progress, Retirement, Task};

use super::sql;
use super::traps::{insert, rows, table};
use crate::backend::{CHANGES_OF_THE_PLAN, Conn, MAKE_OLD_SNAPSHOT, TEXT, TestDatabase, WAITS, name_of_transaction};
use crate::support::keys::{key, keyring};

fn task<'a>() -> Task<'a> {
    Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(16)
}

fn retire(db: &TestDatabase, observer: impl FnMut(&Progress) + Send) -> Retirement {
    let task = task().on_progress(observer).fence_timeout(Duration::from_secs(60));
    task.retire(key(1).fingerprint(), &db.pool(3)).unwrap()
}

/// Everything is under the new key, and `others` is a table for transactions that write.
fn rotated() -> TestDatabase {
    let db = table(TEXT);
    assert!(task().run(&db.pool(2)).unwrap().is_proven());
    db.conn().batch_execute("create table others (id int not null primary key)").unwrap();
    db
}

fn open(db: &TestDatabase, id: i64) -> (Conn, String) {
    let mut conn = db.conn();
    conn.batch_execute(&format!("begin; insert into others values ({id})")).unwrap();
    let name = name_of_transaction(&mut conn);
    (conn, name)
}

fn waits_for(progress: &Progress, name: &str) -> bool {
    progress.waits_for.as_ref().is_some_and(|reason| reason.contains(name))
}

/// The last transaction begins when the fence has begun to wait, reads an old token, and stores it again after another
/// process has replaced the token.
#[test]
fn a_transaction_that_begins_while_the_fence_waits() {
    if WAITS == 0 {
        return; // SQLite has one writer, and no writer can have an older snapshot.
    }
    let db = rotated();
    insert(&mut db.conn(), 1, 1);
    let old = rows(&mut db.conn(), "id = 1").remove(0).secret;
    let mut waiting = vec![open(&db, 0)];
    let mut late: Option<(Conn, String)> = None;
    let mut rounds = (1..).take(WAITS.saturating_sub(1));
    let retirement = retire(&db, |progress| {
        if waiting.first().is_some_and(|(_, name)| waits_for(progress, name)) {
            if let Some(round) = rounds.next() {
                // The next round waits for this one.
                waiting.push(open(&db, round));
            } else {
                let mut conn = db.conn();
                conn.batch_execute(MAKE_OLD_SNAPSHOT).unwrap();
                let name = name_of_transaction(&mut conn);
                late = Some((conn, name));
                let mut other = db.conn();
                other.batch_execute("delete from t where id = 1").unwrap();
                insert(&mut other, 1, 2);
            }
            let (mut first, _) = waiting.remove(0);
            first.batch_execute("commit").unwrap();
        } else if late.as_ref().is_some_and(|(_, name)| waits_for(progress, name)) {
            let (mut conn, _) = late.take().unwrap();
            conn.batch_execute(&format!("insert into t (id, secret) values (999, '{old}'); commit")).unwrap();
        }
    });
    assert!(late.is_none(), "nobody waited for it");
    assert_eq!(sql::number(&mut db.conn(), "select count(*) from t where id = 999"), 1);
    assert_eq!((retirement.values(), retirement.is_proven()), (1, false), "{}", retirement.statement());
}

/// The table is changed while the fence waits for an older transaction, which makes the change: on SQLite, only the writer
/// can.
#[test]
fn a_table_that_changes_while_the_fence_waits() {
    for change in CHANGES_OF_THE_PLAN {
        let db = rotated();
        let (mut conn, name) = open(&db, 1);
        let mut is_changed = false;
        let retirement = retire(&db, |progress| {
            if waits_for(progress, &name) && !std::mem::replace(&mut is_changed, true) {
                conn.batch_execute(change).unwrap();
                conn.batch_execute("commit").unwrap();
            }
        });
        assert!(is_changed, "{change}");
        let doubt = &retirement.status.doubt;
        assert!(matches!(doubt, Some(Doubt::Changed(table)) if table.ends_with('t')), "{change}: {doubt:?}");
        assert!(!retirement.is_proven());
    }
}
