//! What operators see: a proof that has to wait for a transaction, and a user without privileges.

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::startup::StartupCheck;
use serde_json::{Value, json};

use crate::backend::{Conn, LimitedUser};
use crate::suite::program::vault::Vault;
use crate::suite::program::{fingerprint, statement};
use crate::support::keys::keyring;

const OLD: u8 = 1;
const NEW: u8 = 2;

/// Returns an application that has written a row but does not end its transaction.
fn open_transaction(vault: &Vault) -> Conn {
    let mut application = vault.db.conn();
    application.batch_execute("begin; insert into others values (1)").unwrap();
    application
}

fn vault_with_another_table() -> Vault {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.db.conn().batch_execute("create table others (id int not null primary key)").unwrap();
    vault
}

#[test]
fn nothing_is_proven_while_an_older_transaction_is_open() {
    let vault = vault_with_another_table();
    let mut application = open_transaction(&vault);
    let reencrypt = |args: &[&str]| vault.program(&["reencrypt", "--fence-timeout=1"], &[NEW, OLD]).args(args.to_vec());
    let open = "transactions that began before everything was read are still open";
    let run = reencrypt(&["--json"]).exits_with(3);
    let json = run.json();
    assert_eq!((&json["outcome"], &json["proof"]["values"]), (&json!("incomplete"), &json!(50)));
    assert!(json["doubt"].as_str().unwrap().starts_with(open), "{json}");
    run.notes("ended", &format!("not proven: {open}"));
    let run = reencrypt(&[]).exits_with(3);
    let expected = "0 under secondary keys, 0 not readable. It is not proven that this is all: transactions that";
    assert!(statement(&run.stdout).contains(expected), "{}", run.stdout);

    let old = fingerprint(OLD);
    let retire = || vault.program(&["retire", &old, "--fence-timeout=1"], &[NEW, OLD]);
    let run = retire().exits_with(3);
    let expected = format!("was under the key {old}. It is not proven that this is all: {open}");
    assert!(statement(&run.stdout).contains(&expected), "{}", run.stdout);
    run.says(&format!("not proven. Keep {old} in the keyring, and run the command again."));

    application.batch_execute("commit").unwrap();
    retire().args(["--fence-timeout=60"]).exits_with(2).says("cannot be used multiple times");
    let run = vault.program(&["retire", &old, "--json"], &[NEW, OLD]).exits_with(0);
    assert_eq!(run.json()["doubt"], Value::Null);
}

/// The task waits for a transaction when the operator pauses it.
#[test]
fn a_pause_before_the_proof() {
    let vault = vault_with_another_table();
    let mut application = open_transaction(&vault);
    let mut running = vault.program(&["reencrypt"], &[NEW, OLD]).start();
    running.until_it_says("50 rewritten, 0 rows/s, waiting: transactions that began before the proof are open: ");
    vault.bare_program(&["pause"], &[]).exits_with(0);
    let is_paused = || {
        let status = vault.program(&["status", "--json"], &[NEW, OLD]).run().json();
        status["run"]["is_paused"] == true
    };
    running.until(is_paused);
    running.until_it_says("paused: run `diesel-encrypted resume` to continue");
    application.batch_execute("commit").unwrap();
    vault.bare_program(&["resume"], &[]).exits_with(0);
    let run = running.wait();
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(statement(&run.stdout).contains(": 50 values. Every transaction"), "{}", run.stdout);
}

#[test]
fn a_user_who_may_not_create_tables() {
    let vault = Vault::sealed(OLD, 1..=30);
    let user = LimitedUser::new(&vault.db, &["vault"]);
    let as_user = |args: &[&str]| vault.program(args, &[NEW, OLD]).database(&user.url());
    let run = as_user(&["reencrypt"]).exits_with(5);
    run.says("the tables through which processes share the work do not exist, and this user may not create them: ")
        .says("`diesel-encrypted migration state`");
    vault.assert_readable(&[OLD], 30);

    vault.add_state_tables();
    let tables = ["run", "chunk", "problem"].map(|name| format!("__diesel_encrypted_{name}"));
    user.grant(&vault.db, &tables.each_ref().map(String::as_str));
    let run = as_user(&["reencrypt", "--json"]).exits_with(0);
    assert_eq!(run.json()["columns"][1]["rewritten"], 30);
    vault.bare_program(&["problems"], &[]).database(&user.url()).exits_with(0).says("no problem is recorded");
    vault.assert_readable(&[NEW], 30);
}

#[test]
fn an_application_that_may_not_read_the_tables_of_the_task() {
    let vault = Vault::sealed(OLD, 1..=30);
    let user = LimitedUser::new(&vault.db, &["vault"]);
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    let check = StartupCheck::new(keyring([OLD, NEW])).target("vault.secret".parse().unwrap());
    let pool = Pool::builder().max_size(1).build(ConnectionManager::<Conn>::new(user.url())).unwrap();
    check.run(&pool).unwrap();
    user.grant(&vault.db, &["__diesel_encrypted_run", "__diesel_encrypted_chunk", "__diesel_encrypted_problem"]);
    assert!(check.run(&pool).unwrap_err().is_refused());
}
