//! The task beside applications that write at the same time.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::Encrypted;
use diesel_encrypted::reencrypt::{Outcome, ProblemKind};

use super::people::{People, people};
use crate::support::keys::keyring;

/// The application changes tokens to upper case, which is the same text for many collations. At the end, all its writes
/// must still be there, including those between a read and a write of the task.
#[test]
fn a_write_of_the_application_is_never_overwritten() {
    const ROWS: i64 = 2000;
    let mut raced = 0;
    // Repeats until a write came between a read and a write of the task, which is what this test is about.
    for round in 0.. {
        assert!(round < 100, "no race in {round} rounds");
        let people = People::new(1, 1..=ROWS);
        let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let (report, written) = thread::scope(|threads| {
            let application = threads.spawn(|| {
                let mut conn = people.conn();
                while !begun.load(Relaxed) {
                    thread::yield_now();
                }
                // The application begins at the other end, so that the two meet.
                let mut ids = (1..=ROWS).rev().take_while(|_| !ended.load(Relaxed));
                let write = |id| format!("update people set email = upper(email) where id = {id}");
                let mut write = |id: &i64| {
                    conn.batch_execute(&write(*id)).unwrap();
                    // On SQLite, a writer without pauses would block all others.
                    thread::sleep(Duration::from_millis(1));
                };
                ids.by_ref().inspect(&mut write).last().unwrap_or(ROWS + 1)
            });
            let end = EndOnDrop(&ended);
            let report = people.run(people.task([2, 1]).on_progress(|_| begun.store(true, Relaxed)), 1);
            drop(end);
            (report, application.join().unwrap())
        });
        raced = people.column(&report, "email").raced;
        for row in people.raw().iter().filter(|row| row.id >= written) {
            assert_eq!(row.email, row.email.to_uppercase(), "the write to row {} was overwritten", row.id);
        }
        if raced > 0 {
            break;
        }
    }
    assert!(raced > 0);
}

/// Writers with the new and with the old keyring, deletes and inserts run beside the task. Every row must end with the
/// last value that was written to it, and the next run must rotate all values to the new key.
#[test]
fn writers_and_the_task_side_by_side() {
    const ROWS: i64 = 300;
    const WRITERS: i64 = 3;
    let people = People::new(1, 1..=ROWS);
    let ended = AtomicBool::new(false);
    let written: Vec<Vec<(i64, Option<String>)>> = thread::scope(|threads| {
        let write = |writer: i64| {
            let (people, ended) = (&people, &ended);
            move || {
                let mut conn = people.conn();
                let mut ledger: Vec<(i64, Option<String>)> = Vec::new();
                // Each writer has its own rows, so that its last write to a row is the last of all.
                let mut ids = (1..=ROWS).filter(move |id| id % WRITERS == writer).cycle();
                let mut count = 0;
                while !ended.load(Relaxed) || count < 50 {
                    count += 1;
                    let id = ids.next().unwrap();
                    let key = if count % 2 == 0 { vec![2, 1] } else { vec![1, 2] };
                    let value = format!("writer {writer}, write {count}");
                    keyring(key).scope(|| match count % 10 {
                        0 => {
                            diesel::delete(people::table.find(id)).execute(&mut conn).unwrap();
                            ledger.push((id, None));
                        }
                        _ => {
                            let row = (people::email.eq(Encrypted::from(value.clone())), people::name.eq("written"));
                            let updated = diesel::update(people::table.find(id)).set(row).execute(&mut conn).unwrap();
                            if updated == 0 {
                                let row = (
                                    people::id.eq(id),
                                    people::name.eq("new"),
                                    people::email.eq(Encrypted::from(value.clone())),
                                );
                                diesel::insert_into(people::table).values(row).execute(&mut conn).unwrap();
                            }
                            ledger.push((id, Some(value)));
                        }
                    });
                }
                ledger
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|writer| threads.spawn(write(writer))).collect();
        let end = EndOnDrop(&ended);
        for _ in 0..2 {
            let report = people.run(people.task([2, 1]).batch_size(20), 2);
            assert!(report.problems().iter().all(|problem| problem.kind == ProblemKind::Stale));
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let report = people.run(people.task([2, 1]), 2);
    assert_eq!((report.outcome(), report.problems()), (Outcome::Proven, &[][..]));
    let rows = people.all([2]);
    let mut last = std::collections::BTreeMap::new();
    last.extend(written.into_iter().flatten());
    for (id, value) in last {
        let row = rows.iter().find(|row| row.id == id);
        assert_eq!(row.map(|row| row.email.clone().into_inner()), value, "row {id}");
    }
}

/// Lets the writers end, even if the test fails.
pub struct EndOnDrop<'a>(pub &'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
