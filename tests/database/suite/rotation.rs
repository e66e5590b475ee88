//! What a rotation changes, and what it keeps.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::Target;
use diesel_encrypted::reencrypt::{Outcome, Progress, StopHandle, Task};

use super::people::{People, people};
use crate::backend::SHARES;
use crate::support::keys::keyring;

#[test]
fn brings_every_value_under_the_primary_key() {
    let people = People::new(1, 1..=2500);
    let before = people.all([1]);

    let report = people.run(people.task([2, 1]), 2);
    assert_eq!((report.outcome(), report.passes()), (Outcome::Proven, 1));
    assert_eq!(report.problems(), []);
    let count = |name: &str| {
        let column = people.column(&report, name);
        (column.scanned, column.rewritten, column.current, column.null, column.raced, column.busy, column.bad)
    };
    assert_eq!(count("email"), (2500, 2500, 2500, 0, 0, 0, 0));
    assert_eq!(count("phone"), (2500, 1667, 1667, 833, 0, 0, 0));
    assert_eq!(count("photo"), (2500, 1250, 1250, 1250, 0, 0, 0));
    assert_eq!(people.all([2]), before);

    let written = people.raw();
    let again = people.run(people.task([2, 1]), 1);
    assert_eq!((again.outcome(), again.passes()), (Outcome::Proven, 1));
    assert_eq!(people.raw(), written, "a second run writes nothing");
}

#[test]
fn any_batch_size_and_any_number_of_workers() {
    for (batch, workers) in [(1, 1), (3, 2), (7, 3), (99, 1), (100, 1), (101, 2), (100_000, 2)] {
        let people = People::new(1, 1..=100);
        let before = people.all([1]);
        let report = people.run(people.task([2, 1]).batch_size(batch), workers);
        assert_eq!(report.outcome(), Outcome::Proven, "batch {batch}, workers {workers}");
        assert_eq!(people.column(&report, "email").rewritten, 100);
        assert_eq!(people.all([2]), before);
    }
}

#[test]
fn values_under_several_old_keys_and_some_under_the_new() {
    let people = People::new(1, 1..=40);
    people.fill(2, 41..=80);
    people.fill(3, 81..=120);
    let (before, raw) = (people.all([1, 2, 3]), people.raw());
    let report = people.run(people.task([3, 2, 1]), 1);
    assert_eq!(people.column(&report, "email").rewritten, 80);
    assert_eq!(people.all([3]), before);
    assert_eq!(people.raw()[80..], raw[80..], "values under the primary key are not written");
}

#[test]
fn tokens_keep_their_date_their_length_and_their_form() {
    let people = People::new(1, 1..=30);
    // The binary column also accepts the text form, which other Fernet programs write.
    let text = keyring([1]).encrypt(b"text form");
    let update = diesel::sql_query(format!("update people set photo = {} where id = 1", bytes(text.as_bytes())));
    assert_eq!(update.execute(&mut people.conn()).unwrap(), 1);
    let before = people.raw();
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    let after = people.raw();
    let head = |token: &[u8]| match token[0] {
        0x80 => token[..9].to_vec(),
        _ => URL_SAFE.decode(&token[..12]).unwrap(),
    };
    assert_eq!(after[0].photo.as_ref().map(|photo| photo[0]), Some(b'g'));
    assert_eq!(after[2].photo.as_ref().map(|photo| photo[0]), Some(0x80));
    for (before, after) in before.iter().zip(&after) {
        let tokens = |row: &super::people::Raw| {
            let text = [Some(row.email.clone()), row.phone.clone()].map(|token| token.map(String::into_bytes));
            text.into_iter().chain([row.photo.clone()]).collect::<Vec<_>>()
        };
        for (before, after) in tokens(before).into_iter().zip(tokens(after)) {
            let (Some(before), Some(after)) = (&before, &after) else {
                assert_eq!(before, after);
                continue;
            };
            assert_ne!(before, after);
            assert_eq!((before.len(), head(before)), (after.len(), head(after)));
        }
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let people = People::new(1, 1..=50);
    let before = people.raw();
    let report = people.run(people.task([2, 1]).dry_run(true), 1);
    assert_eq!((report.outcome(), report.passes()), (Outcome::Incomplete, 1));
    let email = people.column(&report, "email");
    assert_eq!((email.scanned, email.rewritten, email.current), (50, 0, 0));
    assert_eq!(people.raw(), before);
    assert!(people.run(people.task([2, 1]), 1).is_proven());
    let report = people.run(people.task([2, 1]).dry_run(true), 1);
    assert!(!report.is_proven() && report.columns().iter().all(|column| column.stale() == 0));
}

#[test]
fn an_empty_table_is_proven() {
    let people = People::empty();
    assert_eq!(people.run(people.task([2, 1]), 2).outcome(), Outcome::Proven);
}

#[test]
fn stops_on_request_and_goes_on_later() {
    let people = People::new(1, 1..=500);
    let before = people.all([1]);
    let stop = StopHandle::default();
    let handle = stop.clone();
    // Stops as soon as something was written, so that some rows are done and others remain.
    let observer = move |progress: &Progress| {
        if progress.rewritten > 0 {
            handle.stop();
        }
    };
    let task = people.task([2, 1]).batch_size(1).stop_handle(stop).on_progress(observer);
    let report = people.run(task, 1);
    assert_eq!(report.outcome(), Outcome::Stopped);
    let done = people.column(&report, "email").rewritten;
    assert!(0 < done && done < 500, "{done}");
    assert_eq!(people.all([1, 2]), before);

    let rest = people.run(people.task([2, 1]), 1);
    // A shared run continues, and its report covers all of it.
    let reported = if SHARES { 500 } else { 500 - done };
    assert_eq!(people.column(&rest, "email").rewritten, reported);
    assert_eq!(people.all([2]), before);
}

#[test]
fn reports_its_progress() {
    let people = People::new(1, 1..=300);
    let mut seen = Vec::new();
    let task = people.task([2, 1]).batch_size(10).on_progress(|progress| seen.push(progress.clone()));
    assert!(people.run(task, 1).is_proven());
    let last = seen.last().unwrap();
    assert_eq!((last.pass, last.rows, last.bad), (1, 300, 0));
    assert_eq!(last.rewritten, 300 + 200 + 150);
    assert_eq!(last.table, format!("{}people", people.db.schema()));
}

#[test]
fn only_the_named_columns_are_written() {
    let people = People::new(1, 1..=20);
    let before = people.raw();
    let task =
        || Task::new(keyring([2, 1])).target(Target::column(people::phone)).target("people.phone".parse().unwrap());
    let report = people.run(task(), 1);
    assert_eq!(report.columns().len(), 1, "a column named twice is one column");
    assert_eq!(report.outcome(), Outcome::Proven);
    for (before, after) in before.iter().zip(&people.raw()) {
        assert_eq!((&before.email, &before.photo), (&after.email, &after.photo));
        assert!(before.phone.is_none() || before.phone != after.phone);
    }
}

#[test]
fn status_counts_values_per_key() {
    let people = People::new(1, 1..=30);
    people.fill(2, 31..=40);
    people.conn().batch_execute("update people set email = 'plain' where id = 1").unwrap();
    people.fill(9, 41..=42);
    let before = people.raw();
    let status = people.task([2, 1]).status(&people.db.pool(2)).unwrap();
    let email = &status.columns[0];
    assert_eq!((email.rows, email.null, email.plaintext, email.unreadable), (42, 0, 1, 2));
    assert_eq!(
        email.keys.iter().map(|key| (key.is_primary, key.values)).collect::<Vec<_>>(),
        [(true, 10), (false, 29)]
    );
    let phone = &status.columns[1];
    assert_eq!((phone.rows, phone.null), (42, 14));
    assert!(status.has_bad_values() && status.has_stale_values());
    assert_eq!(people.raw(), before);
}

#[test]
fn connections_go_back_with_their_settings() {
    let people = People::new(1, 1..=10);
    let pool = people.db.pool(3);
    let all_settings = || {
        let mut conns: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
        conns.iter_mut().map(|conn| crate::backend::settings(conn)).collect::<Vec<_>>()
    };
    let before = all_settings();
    assert!(people.task([2, 1]).workers(3).run(&pool).unwrap().is_proven());
    assert_eq!(all_settings(), before);

    // A task that fails in its first statement, and one that fails while it writes and reads.
    let unknown = Task::new(keyring([2, 1])).target("nowhere.email".parse().unwrap());
    assert!(unknown.run(&pool).unwrap_err().is_refused());
    assert_eq!(all_settings(), before);
    people.fill(1, 11..=60);
    let mut application = people.conn();
    let mut is_renamed = false;
    let rename = |_: &Progress| {
        while !is_renamed {
            // On SQLite, the task may hold the lock.
            is_renamed = application.batch_execute("alter table people rename to elsewhere").is_ok();
        }
    };
    let failing = people.task([2, 1]).workers(2).batch_size(5).give_up_after(Duration::ZERO);
    let error = failing.on_progress(rename).run(&pool).unwrap_err();
    assert!(error.is_database(), "{error}");
    assert_eq!(all_settings(), before);

    // A panic on the thread of the task.
    people.conn().batch_execute("alter table elsewhere rename to people").unwrap();
    let task = people.task([2, 1]).on_progress(|_: &Progress| panic!("the application's own"));
    let run = std::panic::AssertUnwindSafe(|| task.run(&pool).map(drop));
    assert!(std::panic::catch_unwind(run).is_err());
    assert_eq!(all_settings(), before);
}

#[test]
fn continues_with_fewer_workers_when_the_application_holds_the_connections() {
    let people = People::new(1, 1..=10);
    let pool = people.db.pool(3);
    let _held = (pool.get().unwrap(), pool.get().unwrap());
    let report = people.task([2, 1]).workers(3).run(&pool).unwrap();
    assert_eq!(report.outcome(), Outcome::Proven);
}

#[test]
fn large_values_among_small_ones() {
    use diesel_encrypted::Encrypted;
    // This row is longer than MariaDB accepts in one statement. The small rows before it make the pages large.
    let people = People::new(1, 1..=2000);
    let large = |id: i64| Encrypted::from(vec![id as u8; 100_000]);
    keyring([1]).scope(|| {
        for id in 1800..1870 {
            let update = diesel::update(people::table.find(id)).set(people::photo.eq(large(id)));
            assert_eq!(update.execute(&mut people.conn()).unwrap(), 1);
        }
    });
    people.conn().batch_execute("update people set photo = null where id < 1800").unwrap();
    let report = people.run(people.task([2, 1]), 1);
    assert_eq!(report.outcome(), Outcome::Proven);
    let after = people.all([2]);
    assert!((1800..1870).all(|id| after[id as usize - 1].photo == Some(large(id))));
}

/// Returns bytes as a literal of any of the databases.
fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    crate::backend::BYTES_LITERAL.replace("{}", &hex)
}
