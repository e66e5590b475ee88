//! Failures of a database server: it is not there, it goes away, or it does not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Progress, Task};
use serde_json::json;

use crate::backend::{Conn, TEXT};
use crate::suite::program::vault::{Vault, is_under};
use crate::suite::program::{assert_is_report, fingerprint};
use crate::suite::sql::number;
use crate::support::keys::keyring;
use crate::support::proxy::{Proxy, at_port};
use crate::support::runner::{Program, Running};

const OLD: u8 = 1;
const NEW: u8 = 2;
const ROWS: i64 = 4000;

#[test]
fn a_server_that_is_not_there() {
    let vault = Vault::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Instant::now();
    for command in ["status", "reencrypt"] {
        let url = at_port(&vault.db.url(), port);
        let run = vault.program(&[command], &[NEW, OLD]).database(&url).exits_with(7);
        assert_eq!(run.stdout, "");
        run.says("diesel-encrypted: cannot connect to the database: ").says("127.0.0.1");
        let run = vault.program(&[command, "--json"], &[NEW, OLD]).database(&url).exits_with(7);
        let json = run.json();
        assert_eq!((&json["outcome"], &json["primary"]), (&json!("failed"), &json!(fingerprint(NEW))));
        assert_eq!(json["columns"], json!([]));
        run.notes("failed", "cannot connect to the database: ");
    }
    // The program reports a wrong address at once. It does not retry for a minute.
    assert!(started.elapsed().as_secs() < 30);
}

fn start(vault: &Vault, proxy: &Proxy, give_up_after: u32) -> Running {
    // A process that cannot release its lease delays the next one for the time of the lease only.
    let program = vault.program(&["reencrypt", "--json", "--batch-size=10", "--lease=1"], &[NEW, OLD]);
    program.args(["--give-up-after", &give_up_after.to_string()]).database(&proxy.url()).start()
}

#[test]
fn a_server_that_goes_away() {
    let vault = Vault::sealed(OLD, 1..=ROWS);
    let proxy = Proxy::to(&vault.db.url());
    let mut running = start(&vault, &proxy, 2);
    let conn = &mut vault.db.conn();
    running.until(|| is_under(conn, 100, NEW));
    proxy.close();
    let run = running.wait();
    assert_eq!(run.code, 7, "{run:#?}");
    assert!(run.stderr.contains("Completed work is safe: run the task again to continue"), "{}", run.stderr);
    let json = run.json();
    assert_is_report(&json, "failed");
    vault.assert_readable(&[NEW, OLD], ROWS as usize);
    // The last batch may be committed without the program receiving the answer. It only reports what it knows.
    let done = vault.rows().iter().filter(|row| row.is_readable(&[NEW])).count() as u64;
    let reported = json["columns"][1]["rewritten"].as_u64().unwrap();
    assert!(
        done < ROWS as u64 && (reported..=reported + 10).contains(&done),
        "{done} rows, {reported} by its own account"
    );

    let run = vault.program(&["reencrypt", "--json"], &[NEW, OLD]).exits_with(0);
    // The report covers the whole run, except for the batch whose answer was lost.
    let all = run.json()["columns"][1]["rewritten"].as_u64().unwrap();
    assert!((ROWS as u64 - 10..=ROWS as u64).contains(&all), "{all} rewritten");
    vault.assert_readable(&[NEW], ROWS as usize);
}

/// The connections break, as in a restart of the server. The program retries and completes.
#[test]
fn a_server_that_comes_back() {
    let vault = Vault::sealed(OLD, 1..=ROWS);
    let proxy = Proxy::to(&vault.db.url());
    let mut running = start(&vault, &proxy, 60);
    let conn = &mut vault.db.conn();
    for row in [100, 1000, 2000] {
        running.until(|| is_under(conn, row, NEW));
        proxy.hang_up();
    }
    let run = running.wait();
    assert_eq!(run.code, 0, "{run:#?}");
    // The program opens one connection to test the server, one to work with, and one after each break.
    assert!(proxy.connections() >= 5, "{} connections", proxy.connections());
    assert_eq!(run.json()["outcome"], "proven");
    vault.assert_readable(&[NEW], ROWS as usize);
}

/// The settings of a broken connection cannot be restored, and this pool would not notice that it is broken.
#[test]
fn a_connection_that_cannot_be_restored_is_closed() {
    let vault = Vault::sealed(OLD, 1..=200);
    let proxy = Proxy::to(&vault.db.url());
    let pool = Pool::builder().max_size(1).test_on_check_out(false);
    let pool = pool.build(ConnectionManager::<Conn>::new(proxy.url())).unwrap();
    let task = Task::new(keyring([NEW, OLD])).target("vault.secret".parse().unwrap()).stateless(true);
    let task = task.batch_size(10).give_up_after(Duration::ZERO).on_progress(|_: &Progress| proxy.hang_up());
    let error = task.run(&pool).unwrap_err();
    assert!(error.is_database(), "{error}");
    assert_eq!(number(&mut pool.get().unwrap(), "select count(*) from vault"), 200);
}

/// Sends Ctrl-C, and waits until the program has noticed it.
fn interrupt(running: &mut Running) {
    running.signal("INT");
    running.until_it_says("stopping after the current batch");
}

/// A signal before the first row stops the program, too.
#[test]
fn a_signal_while_it_connects() {
    let vault = Vault::sealed(OLD, 1..=20);
    for command in ["status", "reencrypt"] {
        let proxy = Proxy::to(&vault.db.url());
        proxy.stall();
        let mut running = vault.program(&[command, "--json"], &[NEW, OLD]).database(&proxy.url()).start();
        // By then the program handles signals.
        running.until(|| proxy.connections() > 0);
        interrupt(&mut running);
        proxy.resume();
        let run = running.wait();
        assert_eq!(run.code, 6, "{run:#?}");
        assert_eq!(run.json()["columns"][0][if command == "status" { "rows" } else { "scanned" }], 0);
    }
    vault.assert_readable(&[OLD], 20);
}

/// The server does not answer, so the batch never ends. The second Ctrl-C does not wait for it.
#[test]
fn a_second_signal_ends_it_at_once() {
    let vault = Vault::sealed(OLD, 1..=ROWS);
    let proxy = Proxy::to(&vault.db.url());
    let mut running = start(&vault, &proxy, 60);
    let conn = &mut vault.db.conn();
    running.until(|| is_under(conn, 100, NEW));
    proxy.stall();
    interrupt(&mut running);
    running.signal("INT");
    let run = running.wait();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""));
    proxy.close();
    vault.assert_readable(&[NEW, OLD], ROWS as usize);
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
}

/// Without a row key nothing identifies the row of a token. (SQLite has row ids.)
#[test]
fn a_table_without_a_row_key() {
    let vault = Vault::new();
    let sql = format!("create table heap (id bigint, secret {TEXT})");
    vault.db.conn().batch_execute(&sql).unwrap();
    let program = |command: &str| -> Program { vault.bare_program(&[command, "--column", "heap.secret"], &[NEW, OLD]) };
    for command in ["status", "reencrypt"] {
        let reason = format!("the table {}heap has no usable row key", vault.db.schema());
        program(command).exits_with(5).says(&reason);
    }
    // A unique index on a nullable column identifies no row.
    vault.db.conn().batch_execute("create unique index heap_id on heap (id)").unwrap();
    program("reencrypt").exits_with(5).says("has no usable row key");
    vault.db.conn().batch_execute("drop table heap").unwrap();
    let sql =
        format!("create table heap (id bigint not null, secret {TEXT}); create unique index heap_id on heap (id)");
    vault.db.conn().batch_execute(&sql).unwrap();
    program("reencrypt").exits_with(0);
}
