//! What the task refuses before it writes anything, and its messages.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::Task;
use diesel_encrypted::{TableName, Target};

use super::people::People;
use crate::backend::TEXT;
use crate::support::keys::keyring;

/// Returns the message with which the task refuses these targets.
fn refusal(people: &People, targets: impl IntoIterator<Item = Target>) -> String {
    let before = people.raw();
    let error = Task::new(keyring([2, 1])).targets(targets).run(&people.db.pool(1)).unwrap_err();
    assert!(error.is_refused(), "{error}");
    assert_eq!(people.raw(), before);
    error.to_string()
}

fn named(table: &str, column: &str) -> [Target; 1] {
    [Target::named(TableName::new(table), [column]).unwrap()]
}

#[test]
fn targets_that_cannot_be_worked_on() {
    let people = People::new(1, 1..=3);
    let schema = people.db.schema();
    let no_targets = "there is nothing to work on: no column is named and the schema declares no encrypted column";
    assert_eq!(refusal(&people, []), no_targets);
    assert_eq!(
        refusal(&people, named("persons", "email")),
        "there is no table persons: check the name, its schema, and the database you are connected to"
    );
    assert_eq!(
        refusal(&people, named("people", "mail")),
        format!("the table {schema}people has no column mail; it has id, name, email, phone, photo")
    );
    let wrong_type = refusal(&people, named("people", "id"));
    let start = format!("the column {schema}people.id cannot be a target: its type is bigint");
    assert!(wrong_type.starts_with(&start), "{wrong_type}");
    // One invalid target refuses the whole run. The task does nothing by halves.
    refusal(&people, named("people", "email").into_iter().chain(named("people", "mail")));

    people.conn().batch_execute("create view addresses as select id, email from people").unwrap();
    let view = refusal(&people, named("addresses", "email"));
    assert!(view.starts_with(&format!("the table {schema}addresses cannot be a target: it is not a")), "{view}");

    let key = format!("create table by_email (email varchar(200) not null primary key, note {TEXT})");
    people.conn().batch_execute(&key).unwrap();
    assert_eq!(
        refusal(&people, named("by_email", "email")),
        format!(
            "the column {schema}by_email.email cannot be a target: it is part of the row key, which the task never changes"
        )
    );
}

#[test]
fn a_keyring_that_does_not_belong_to_the_data() {
    let people = People::new(1, 1..=200);
    let before = people.raw();
    let error = people.task([3, 2]).run(&people.db.pool(1)).unwrap_err();
    assert!(error.is_refused());
    assert_eq!(
        error.to_string(),
        format!(
            "this keyring does not belong to this data: of 200 tokens read in {}people.email it opens 0. \
             The others were not touched. Add the key that wrote them to the keyring",
            people.db.schema()
        )
    );
    // Rows under a wrong key are problems if most rows are readable, even at the beginning of the table.
    people.fill(2, 201..=300);
    let report = people.run(people.task([3, 2]), 1);
    assert_eq!(report.problems().len(), 200 + 134 + 100);
    assert_eq!(people.raw()[..200], before);
    assert_eq!(people.column(&report, "email").rewritten, 100);
}

#[test]
fn a_small_table_of_another_key_beside_a_readable_one() {
    let people = People::new(1, 1..=50);
    let sql = format!("create table notes (id int not null primary key, note {TEXT})");
    people.conn().batch_execute(&sql).unwrap();
    let token = keyring([9]).encrypt(b"x");
    people.conn().batch_execute(&format!("insert into notes values (1, '{token}')")).unwrap();
    let task = people.task([2, 1]).targets(named("notes", "note"));
    assert_eq!(people.run(task, 1).problems().len(), 1);
    // In a run on this column only, the task can read nothing.
    refusal(&people, named("notes", "note"));
}

#[test]
fn the_task_gives_up_on_an_unreachable_database() {
    use diesel::r2d2::{ConnectionManager, Pool};
    let people = People::new(1, 1..=3);
    let nowhere = crate::backend::unreachable_url();
    let manager = ConnectionManager::<crate::backend::Conn>::new(nowhere);
    let pool = Pool::builder().min_idle(Some(0)).build(manager).unwrap();
    let limit = std::time::Duration::from_millis(300);
    let error = people.task([2, 1]).give_up_after(limit).run(&pool).unwrap_err();
    assert!(error.is_database(), "{error}");
    assert!(error.to_string().ends_with("Completed work is safe: run the task again to continue"), "{error}");
}
