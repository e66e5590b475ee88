//! A damaged index hides rows from whoever reads in its order.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Doubt, Task};

use crate::backend::TestDatabase;
use crate::support::keys::keyring;

#[test]
fn rows_that_the_walk_does_not_reach() {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute(
        "create table t (name text not null primary key, secret text);
         create table empty (name text not null primary key)",
    )
    .unwrap();
    for number in 1..=10 {
        let token = keyring([1]).encrypt(b"x");
        conn.batch_execute(&format!("insert into t values ('{number}', '{token}')")).unwrap();
    }
    let task = || Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(3);
    assert!(task().run(&db.pool(1)).unwrap().is_proven());

    // The index of the primary key gets the pages of an index without entries.
    conn.batch_execute(
        "pragma writable_schema = on;
         update sqlite_master set rootpage = (select rootpage from sqlite_master where name = 'sqlite_autoindex_empty_1')
         where name = 'sqlite_autoindex_t_1';
         pragma writable_schema = reset",
    )
    .unwrap();
    let report = task().run(&db.pool(1)).unwrap();
    let Some(Doubt::Miscounted { counted: 10, read: 0, .. }) = report.doubt() else { panic!("{:?}", report.doubt()) };
    db.conn().batch_execute("reindex t").unwrap();
    assert!(task().run(&db.pool(1)).unwrap().is_proven());
}
