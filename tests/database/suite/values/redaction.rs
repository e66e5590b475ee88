//! Diesel prints statements without plaintexts and without tokens.

use std::sync::{Arc, Mutex};

use diesel::connection::InstrumentationEvent;
use diesel::debug_query;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel_encrypted::Encrypted;

use super::people::{Person, create, people, person};
use crate::backend::{Conn, TestDatabase};
use crate::support::keys::{key, keyring};
use crate::support::secrets::assert_hides;

type Backend = <Conn as Connection>::Backend;

/// The plaintexts of the first person, and the key.
fn secrets() -> Vec<String> {
    let Person { email, phone, photo, .. } = person(1);
    let photo = format!("{:?}", photo.unwrap().into_inner());
    let key = key(1).to_text().to_string();
    vec![email.into_inner(), phone.unwrap().into_inner().to_string(), photo[1..photo.len() - 1].into(), key]
}

/// Checks that a printed statement shows this many encrypted parameters, and no content of them.
#[track_caller]
fn assert_redacted(said: &str, parameters: usize) {
    assert_eq!(said.matches("Encrypted(..)").count(), parameters, "{said}");
    assert!(!said.contains("gAAAA"), "a token: {said}");
    assert_hides(said, secrets());
}

#[track_caller]
fn assert_prints_redacted(query: &impl QueryFragment<Backend>, parameters: usize) {
    let query = debug_query::<Backend, _>(query);
    assert_redacted(&query.to_string(), parameters);
    assert_redacted(&format!("{query:?}"), parameters);
}

#[test]
fn debug_query_shows_no_value() {
    let Person { email, phone, photo, .. } = person(1);
    let find = people::table.find(1);
    keyring([1]).scope(|| {
        let insert = diesel::insert_into(people::table);
        assert_prints_redacted(&insert.values(person(1)), 3);
        assert_prints_redacted(&insert.values(&person(1)), 3);
        assert_prints_redacted(&insert.values((people::email.eq(&email), people::photo.eq(&photo))), 2);
        assert_prints_redacted(&diesel::update(find).set(&person(1)), 3);
        assert_prints_redacted(&diesel::update(find).set(people::email.eq(&email)), 1);
        assert_prints_redacted(&diesel::update(find).set(people::phone.eq(phone)), 1);
        assert_prints_redacted(&diesel::update(people::table).filter(people::email.eq(&email)).set(&person(1)), 4);
        assert_prints_redacted(&diesel::delete(people::table).filter(people::email.eq(email)), 1);
        assert_prints_redacted(&people::table.filter(people::phone.eq(phone)), 1);
    });
}

#[test]
fn the_query_log_shows_no_value() {
    let db = TestDatabase::new();
    let conn = &mut create(&db);
    let log = Arc::new(Mutex::new(String::new()));
    let writer = Arc::clone(&log);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        *writer.lock().unwrap() += &format!("{event:?}\n");
    });
    keyring([1]).scope(|| {
        let insert = |conn: &mut Conn| {
            log.lock().unwrap().clear();
            diesel::insert_into(people::table).values(person(1)).execute(conn)
        };
        assert_eq!(insert(conn), Ok(1));
        assert_log_redacted(&log, 3);
        // The database refuses this statement, because the row exists already.
        assert!(insert(conn).is_err());
        assert_log_redacted(&log, 3);

        log.lock().unwrap().clear();
        let email = Encrypted::from("1@example.org".to_string());
        diesel::update(people::table).set(people::email.eq(email)).execute(conn).unwrap();
        assert_log_redacted(&log, 1);
    });
}

/// Diesel logs the text of a query at its start and at its end.
#[track_caller]
fn assert_log_redacted(log: &Mutex<String>, parameters: usize) {
    let log = log.lock().unwrap();
    let started = log.lines().find(|line| line.starts_with("StartQuery")).unwrap();
    assert_redacted(started, parameters);
    let finished = log.lines().find(|line| line.starts_with("FinishQuery")).unwrap();
    assert_redacted(finished, parameters);
    assert!(!log.contains("gAAAA"));
    assert_hides(&log, secrets());
}
