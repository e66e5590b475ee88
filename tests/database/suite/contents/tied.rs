//! Columns that the database changes when the task writes to another one.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Job, Task};
use diesel_encrypted::{TableName, Target};

use crate::backend::TestDatabase;
use crate::suite::sql::text;
use crate::support::keys::keyring;

fn refusal(db: &TestDatabase, table: &str, job: Job) -> String {
    let target = Target::named(TableName::new(table), ["email"]).unwrap();
    let error = Task::new(keyring([2, 1])).job(job).target(target).run(&db.pool(1)).unwrap_err();
    assert!(error.is_refused(), "{error}");
    error.to_string()
}

#[test]
fn a_rotation_changes_no_other_column() {
    for action in ["cascade", "set null", "no action", "restrict"] {
        let db = TestDatabase::new();
        let token = keyring([1]).encrypt(b"ada@example.org");
        let sql = format!(
            "create table parents (id bigint not null primary key, email varchar(200) not null unique);
             create table children (id bigint not null primary key, email varchar(200),
                                    foreign key (email) references parents (email) on update {action});
             insert into parents values (1, '{token}');
             insert into children values (1, '{token}')"
        );
        db.conn().batch_execute(&sql).unwrap();
        for (table, job) in [("parents", Job::Reencrypt), ("children", Job::Reencrypt), ("parents", Job::Encrypt)] {
            let said = refusal(&db, table, job);
            assert!(said.contains("without changing other columns: the foreign key "), "{action}: {said}");
        }
        for table in ["parents", "children"] {
            assert_eq!(text(&mut db.conn(), &format!("select email from {table}")), token);
        }
        // Reading changes nothing.
        let target = Target::named(TableName::new("parents"), ["email"]).unwrap();
        assert!(Task::new(keyring([2, 1])).target(target).status(&db.pool(1)).unwrap().has_stale_values());
    }
}
