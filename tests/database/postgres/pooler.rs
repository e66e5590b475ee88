//! PgBouncer between the task and the server. In transaction mode it hands a session of the server on after every
//! transaction, with all its settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::Target;
use diesel_encrypted::reencrypt::{Control, Refusal, Task, TaskError};
use diesel_encrypted::startup::StartupCheck;

use crate::backend::settings;
use crate::suite::people::{People, people};
use crate::suite::program::fingerprint;
use crate::suite::program::vault::Vault;
use crate::support::keys::keyring;
use crate::support::pgbouncer::PgBouncer;
use crate::support::runner::{PROVEN, Program, REFUSED};

const OLD: u8 = 1;
const NEW: u8 = 2;
const KEYS: [u8; 2] = [NEW, OLD];

/// Pools that serve idle clients in different orders.
const POOLS: &[&[&str]] = &[
    &["default_pool_size = 1"],
    &["default_pool_size = 4"],
    &["default_pool_size = 4", "server_round_robin = 1"],
    &["default_pool_size = 2", "min_pool_size = 2", "server_round_robin = 1"],
];

/// An application behind a pooler, until it is dropped. It has no prepared statements, which PgBouncer would mix up.
struct Application {
    is_over: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Application {
    /// Each client changes a row of its own in one transaction after the other.
    fn start(url: &str, clients: i64) -> Self {
        Self::changing(url, clients, |client| format!("update vault set note = note where id = {client}"))
    }

    /// All clients change the same row, and so they wait for longer than the task would.
    fn contended(url: &str, clients: i64) -> Self {
        Self::changing(url, clients, |_| "update vault set note = note where id = 1; select pg_sleep(0.003)".into())
    }

    fn changing(url: &str, clients: i64, change: fn(i64) -> String) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(AtomicUsize::new(0));
        let start = |client: i64| {
            let (is_over, requests, url) = (Arc::clone(&is_over), Arc::clone(&requests), url.to_owned());
            thread::spawn(move || {
                let mut conn = PgConnection::establish(&url).unwrap();
                let mut errors = Vec::new();
                while !is_over.load(Relaxed) {
                    let sql = format!("begin; {}; commit", change(client));
                    if let Err(error) = conn.batch_execute(&sql) {
                        errors.push(error.to_string());
                        let _ = conn.batch_execute("rollback");
                    }
                    requests.fetch_add(1, Relaxed);
                }
                errors
            })
        };
        let threads = (1..=clients).map(start).collect();
        Self { is_over, requests, threads }
    }

    /// Waits for that many further requests.
    fn wait(&self, requests: usize) {
        let until = self.requests.load(Relaxed) + requests;
        while self.requests.load(Relaxed) < until {
            thread::yield_now();
        }
    }

    /// Returns the errors of all clients.
    fn end(self) -> Vec<String> {
        self.is_over.store(true, Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

/// Pools of servers and clients are as large as the tests need, so that a client sees each session of the server.
fn all_settings(url: &str, sessions: usize) -> Vec<Vec<String>> {
    let mut clients: Vec<PgConnection> = (0..sessions).map(|_| PgConnection::establish(url).unwrap()).collect();
    clients.iter_mut().for_each(|conn| conn.batch_execute("begin").unwrap());
    let read = clients.iter_mut().map(settings).collect();
    clients.iter_mut().for_each(|conn| conn.batch_execute("rollback").unwrap());
    read
}

fn commands(vault: &Vault) -> Vec<Program> {
    let retired = fingerprint(OLD);
    let commands: [&[&str]; 6] = [
        &["reencrypt"],
        &["reencrypt", "--dry-run", "--stateless", "--workers=3"],
        &["encrypt"],
        &["decrypt", "--write-plaintext=vault.secret", "--write-plaintext=vault.photo"],
        &["retire", &retired],
        &["status"],
    ];
    commands.iter().map(|command| vault.program(command, &KEYS)).collect()
}

#[test]
fn transaction_mode_is_refused_by_every_command() {
    let vault = Vault::sealed(OLD, 1..=50);
    let before = vault.rows();
    let pooler = PgBouncer::start(&vault.db.url(), "transaction", &["default_pool_size = 4"]);
    let application = Application::contended(pooler.url(), 6);
    for program in commands(&vault) {
        let run = program.database(pooler.url()).exits_with(REFUSED);
        run.says("a pooler that shares the sessions of the server (such as PgBouncer in transaction mode")
            .says("Let DATABASE_URL name the server itself, or a pooler in session mode");
    }
    application.wait(200);
    assert_eq!(application.end(), Vec::<String>::new());
    assert_eq!(vault.rows(), before);
}

/// A pool that does not check its connections has no prepared statement which an older PgBouncer could mix up.
#[test]
fn the_sessions_alone_show_the_pooler() {
    let vault = Vault::sealed(OLD, 1..=50);
    for settings in POOLS {
        for clients in [0, 1, 6] {
            let pooler = PgBouncer::start(&vault.db.url(), "transaction", settings);
            let application = Application::start(pooler.url(), clients);
            let pool = Pool::builder().max_size(2).test_on_check_out(false);
            let pool = pool.build(ConnectionManager::<PgConnection>::new(pooler.url())).unwrap();
            let error = Task::new(keyring(KEYS)).target("vault.secret".parse().unwrap()).run(&pool).unwrap_err();
            let Some(Refusal::Pooler { seen, .. }) = error.refusal() else {
                panic!("{settings:?}, {clients}: {error}")
            };
            assert!(seen.contains("served by the process ") && seen.contains(" of the server"), "{seen}");
            assert_eq!(application.end(), Vec::<String>::new(), "{settings:?}");
        }
    }
}

/// The sessions of the server keep the settings that the application gave them.
#[test]
fn nothing_is_left_behind_in_transaction_mode() {
    let vault = Vault::sealed(OLD, 1..=50);
    let pooler = PgBouncer::start(&vault.db.url(), "transaction", &["default_pool_size = 4", "min_pool_size = 4"]);
    let before = all_settings(pooler.url(), 4);
    for _ in 0..2 {
        vault.program(&["reencrypt"], &KEYS).database(pooler.url()).exits_with(REFUSED);
    }
    assert_eq!(all_settings(pooler.url(), 4), before);
    let application = Application::contended(pooler.url(), 6);
    application.wait(1000);
    assert_eq!(application.end(), Vec::<String>::new());
}

#[test]
fn statement_mode_is_refused() {
    let vault = Vault::sealed(OLD, 1..=50);
    let pooler = PgBouncer::start(&vault.db.url(), "statement", &["default_pool_size = 4"]);
    for program in commands(&vault) {
        program.database(pooler.url()).exits_with(REFUSED).says("a pooler that shares the sessions of the server (");
    }
    let pool = Pool::builder().max_size(2).test_on_check_out(false);
    let pool = pool.build(ConnectionManager::<PgConnection>::new(pooler.url())).unwrap();
    let error = Task::new(keyring(KEYS)).target("vault.secret".parse().unwrap()).status(&pool).unwrap_err();
    assert!(error.to_string().contains("whenever a transaction begins, the connection is closed"), "{error}");
}

/// A session of the server belongs to one client, so the task works as without a pooler.
#[test]
fn session_mode_works() {
    let vault = Vault::sealed(OLD, 1..=2000);
    let pooler = PgBouncer::start(&vault.db.url(), "session", &["default_pool_size = 20"]);
    let application = Application::start(pooler.url(), 4);
    for args in [&["reencrypt", "--workers=2"][..], &["status"], &["retire", &fingerprint(OLD)]] {
        vault.program(args, &KEYS).database(pooler.url()).exits_with(PROVEN);
    }
    application.wait(100);
    assert_eq!(application.end(), Vec::<String>::new());
    vault.assert_readable(&[NEW], 2000);
}

fn pool(url: &str, connections: u32) -> Pool<ConnectionManager<PgConnection>> {
    Pool::builder().max_size(connections).min_idle(Some(0)).build(ConnectionManager::new(url)).unwrap()
}

#[test]
fn the_library_refuses_the_pool_of_an_application() {
    let people = People::new(OLD, 1..=50);
    let pooler = PgBouncer::start(&people.db.url(), "transaction", &["default_pool_size = 3"]);
    let pool = pool(pooler.url(), 4);
    let is_refused = |error: TaskError| matches!(error.refusal(), Some(Refusal::Pooler { .. }));
    let task = || -> Task<'_> { people.task(KEYS) };
    assert!(is_refused(task().run(&pool).unwrap_err()));
    assert!(is_refused(task().status(&pool).unwrap_err()));
    assert!(is_refused(task().prove(&pool).unwrap_err()));
    assert!(is_refused(task().estimate(&pool).unwrap_err()));
    let error = task().dry_run(true).run(&pool).unwrap_err();
    assert!(error.to_string().ends_with("or of a pooler in session mode"), "{error}");
    assert!(is_refused(error));
}

/// With one connection and no other client, nothing shows a pooler. The task works, and its settings stay in its own
/// transactions.
#[test]
fn a_task_that_cannot_see_the_pooler_does_no_harm() {
    let people = People::new(OLD, 1..=50);
    let pooler = PgBouncer::start(&people.db.url(), "transaction", &["default_pool_size = 1"]);
    let before = settings(&mut people.conn());
    assert!(people.task(KEYS).run(&pool(pooler.url(), 1)).unwrap().is_proven());
    assert_eq!(all_settings(pooler.url(), 1), [before]);
}

/// The check of an application that lives behind a pooler, and requests to running processes.
#[test]
fn an_application_behind_a_pooler_can_check_itself() {
    let people = People::new(NEW, 1..=50);
    let pooler = PgBouncer::start(&people.db.url(), "transaction", &["default_pool_size = 1"]);
    let before = settings(&mut people.conn());
    let pool = pool(pooler.url(), 1);
    let target = Target::of(people::table).unwrap();
    StartupCheck::new(keyring(KEYS)).target(target).run(&pool).unwrap();
    assert!(Control::new(&pool).run().unwrap().is_none());
    drop(pool);
    assert_eq!(all_settings(pooler.url(), 1), [before]);
}
