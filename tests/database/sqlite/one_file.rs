//! The file of the database: a session that only reads it, and another file in its place.

use std::fs;

use diesel_encrypted::reencrypt::{Progress, Refusal, Task};

use crate::suite::program::vault::Vault;
use crate::support::keys::{NEW, OLD, key, keyring};
use crate::support::runner::{NOT_PROVEN, PROVEN, REFUSED};

#[test]
fn a_file_that_only_reads() {
    let vault = Vault::sealed(OLD, 1..=20);
    let read_only = format!("file:{}?mode=ro", vault.db.url());
    let reencrypt = vault.program(&["reencrypt"], &[NEW, OLD]).database(&read_only);
    reencrypt.exits_with(REFUSED).says("nothing can be written here: attempt to write a readonly database");
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(PROVEN);
    vault.program(&["status"], &[NEW, OLD]).database(&read_only).exits_with(PROVEN);
    // The fence of SQLite is to become the writer.
    let old = key(OLD).fingerprint().to_string();
    let run = vault.program(&["retire", &old], &[NEW, OLD]).database(&read_only).exits_with(NOT_PROVEN);
    assert!(run.stdout.contains("attempt to write a readonly database"), "{run:#?}");
    vault.program(&["retire", &old], &[NEW, OLD]).exits_with(PROVEN);
}

/// A restored backup, for instance. Sessions that have the former file open would prove something about that one.
#[test]
fn a_file_that_takes_the_place_of_the_database() {
    let vault = Vault::sealed(OLD, 1..=200);
    let (path, copy) = (vault.db.url(), format!("{}.copy", vault.db.url()));
    fs::copy(&path, &copy).unwrap();
    let mut is_replaced = false;
    let replace = |progress: &Progress| {
        if progress.rows > 0 && !std::mem::replace(&mut is_replaced, true) {
            fs::rename(&copy, &path).unwrap();
        }
    };
    let task =
        Task::new(keyring([NEW, OLD])).target("vault.secret".parse().unwrap()).batch_size(10).on_progress(replace);
    let error = task.max_rows_per_second(200).run(&vault.db.pool(2)).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::OtherServer { .. })), "{error:?}");
    assert!(error.to_string().contains("one leads to the file "), "{error}");
}
