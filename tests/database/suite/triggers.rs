//! Triggers that the writes of the task would fire, and triggers that they would not.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Outcome, Refusal, Remedy};

use super::people::People;
use super::sql::number;
use crate::backend::{IDLE_TRIGGERS, MANAGE_UPDATED_AT, MANAGED_BY};

/// Creates people who were last updated long ago.
fn people() -> People {
    let people = People::new(1, 1..=20);
    let mut conn = people.conn();
    conn.batch_execute("alter table people add column updated_at timestamp null").unwrap();
    conn.batch_execute("update people set updated_at = '2001-02-03 04:05:06'").unwrap();
    people
}

/// Returns how many were updated since then.
fn touched(people: &People) -> i64 {
    number(&mut people.conn(), "select count(*) from people where updated_at <> '2001-02-03 04:05:06'")
}

#[test]
fn are_refused_unless_they_are_accepted() {
    let people = people();
    people.conn().batch_execute(MANAGE_UPDATED_AT).unwrap();
    let before = people.raw();
    let error = people.task([2, 1]).run(&people.db.pool(2)).unwrap_err();
    let said = error.to_string();
    let start = format!(
        "the table {}people has triggers that would fire for every row that is rewritten: {MANAGED_BY}. A trigger \
         that maintains `updated_at`, such as one from `diesel_manage_updated_at`, would change it in every row. To \
         rewrite without the triggers, ",
        people.db.schema()
    );
    let end = ". To let them fire, call Task::accept_triggers";
    assert!(error.is_refused() && said.starts_with(&start) && said.ends_with(end), "{said}");
    let refusal = error.refusal().unwrap();
    assert!(matches!(refusal, Refusal::Triggers { triggers, .. } if triggers.join(", ") == MANAGED_BY), "{refusal:?}");
    assert_eq!(refusal.remedy(), Some(Remedy::AcceptTriggers));

    // A run that only reads fires no trigger.
    assert_eq!(people.run(people.task([2, 1]).dry_run(true), 1).outcome(), Outcome::Incomplete);
    people.task([2, 1]).status(&people.db.pool(1)).unwrap();
    people.task([2, 1]).prove(&people.db.pool(1)).unwrap();
    assert_eq!((people.raw(), touched(&people)), (before, 0));

    assert!(people.run(people.task([2, 1]).accept_triggers(true), 1).is_proven());
    assert_eq!(touched(&people), 20);
}

#[test]
fn triggers_on_other_columns_and_events_are_accepted() {
    let people = people();
    for trigger in IDLE_TRIGGERS {
        people.conn().batch_execute(trigger).unwrap();
    }
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    assert_eq!(touched(&people), 0);
}
