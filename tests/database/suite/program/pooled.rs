//! What an application with a pool of connections notices of each step of the runbooks: how many of its requests fail.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, RwLock};
use std::thread;

use diesel::connection::{CacheSize, Connection, SimpleConnection};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error as PoolError, Pool};
use diesel_encrypted::reencrypt::state_tables;
use diesel_encrypted::{Adopting, Encrypted, Leaving};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::guard::Migrations;
use super::{fingerprint, key_text};
use crate::backend::{Conn, NOT_NULL, PREPARE, TEXT, TO_ASCII, TestDatabase};
use crate::support::keys::keyring;
use crate::support::runner::Program;

const OLD: u8 = 1;
const NEW: u8 = 2;
/// The connections of the application, each with a thread.
const CONNECTIONS: u32 = 20;
const ROWS: i64 = 500;
/// How many requests run before a step, and how many after it.
const REQUESTS: u64 = 200;

diesel::table! {
    /// The table for the models that read or write plaintext.
    #[sql_name = "people"]
    plain (id) {
        id -> BigInt,
        email -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    #[sql_name = "people"]
    encrypted (id) {
        id -> BigInt,
        email -> EncryptedText,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use diesel_encrypted::sql_types::*;

    #[sql_name = "people"]
    both (id) {
        id -> BigInt,
        email -> Nullable<Text>,
        copy -> Nullable<EncryptedText>,
    }
}

/// A request of a model: reads a row, and writes it.
type Request = fn(&mut Conn, i64) -> Result<(), String>;

macro_rules! request {
    ($name:ident, $table:ident, $text:ty) => {
        pub fn $name(conn: &mut Conn, id: i64) -> Result<(), String> {
            let said = |error: diesel::result::Error| error.to_string();
            let read: $text = $table::table.find(id).select($table::email).first(conn).map_err(said)?;
            let read: String = read.into();
            if read != address(id) {
                return Err(format!("the row {id} has another value"));
            }
            let write = diesel::update($table::table.find(id)).set($table::email.eq(<$text>::from(address(id))));
            match write.execute(conn).map_err(said)? {
                1 => Ok(()),
                _ => Err(format!("the row {id} is gone")),
            }
        }
    };
}
request!(as_plaintext, plain, String);
request!(as_leaving, plain, Leaving<String>);
request!(as_adopting, plain, Adopting<String>);
request!(as_encrypted, encrypted, Encrypted<String>);

/// Reads the old column, and writes both.
fn as_both(conn: &mut Conn, id: i64) -> Result<(), String> {
    as_plaintext(conn, id)?;
    write_both(conn, id)
}

/// Reads the new column, and still writes both.
fn as_switched(conn: &mut Conn, id: i64) -> Result<(), String> {
    let read = both::table.find(id).select(both::copy).first::<Option<Encrypted<String>>>(conn);
    if read.map_err(|error| error.to_string())?.as_deref() != Some(&address(id)) {
        return Err(format!("the row {id} has another value in its new column"));
    }
    write_both(conn, id)
}

/// Knows the new column only.
fn as_contracted(conn: &mut Conn, id: i64) -> Result<(), String> {
    let read = both::table.find(id).select(both::copy).first::<Option<Encrypted<String>>>(conn);
    if read.map_err(|error| error.to_string())?.as_deref() != Some(&address(id)) {
        return Err(format!("the row {id} has another value in its new column"));
    }
    let write = diesel::update(both::table.find(id)).set(both::copy.eq(Some(Encrypted::from(address(id)))));
    write.execute(conn).map(drop).map_err(|error| error.to_string())
}

fn write_both(conn: &mut Conn, id: i64) -> Result<(), String> {
    let values = (both::email.eq(address(id)), both::copy.eq(Some(Adopting::from(address(id)))));
    diesel::update(both::table.find(id)).set(values).execute(conn).map(drop).map_err(|error| error.to_string())
}

fn address(id: i64) -> String {
    format!("{id}@example.org")
}

/// An application with one thread for each connection of its pool.
pub struct Application {
    url: String,
    version: RwLock<Version>,
    succeeded: AtomicU64,
    failed: AtomicU64,
    error: Mutex<Option<String>>,
    is_over: AtomicBool,
}

struct Version {
    request: Request,
    keys: Vec<u8>,
    pool: Pool<ConnectionManager<Conn>>,
}

#[derive(Debug)]
struct Prepare(CacheSize);

impl CustomizeConnection<Conn, PoolError> for Prepare {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), PoolError> {
        conn.set_prepared_statement_cache_size(self.0);
        conn.batch_execute(PREPARE).map_err(PoolError::QueryError)
    }
}

impl Application {
    /// Runs the application on a new table of plaintext while `steps` are taken.
    pub fn run(column: &str, cache: CacheSize, steps: impl FnOnce(&Self, &TestDatabase)) {
        let db = TestDatabase::new();
        let conn = &mut db.conn();
        conn.batch_execute(PREPARE).unwrap();
        conn.batch_execute(&format!("create table people (id bigint not null primary key, email {column} not null)"))
            .unwrap();
        for id in 1..=ROWS {
            diesel::insert_into(plain::table)
                .values((plain::id.eq(id), plain::email.eq(address(id))))
                .execute(conn)
                .unwrap();
        }
        let url = db.url();
        let version = Version { request: as_plaintext, keys: vec![OLD], pool: pool(&url, cache) };
        let this = Self {
            url,
            version: RwLock::new(version),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            error: Mutex::new(None),
            is_over: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            let end = EndOnDrop(&this.is_over);
            for number in 0..CONNECTIONS {
                let this = &this;
                scope.spawn(move || this.serve(i64::from(number)));
            }
            this.during("a look", || {});
            steps(&this, &db);
            drop(end);
        });
    }

    /// Serves requests for the rows that no other thread writes.
    fn serve(&self, number: i64) {
        for round in 0.. {
            if self.is_over.load(Relaxed) {
                break;
            }
            // A deployment waits for the requests of the former version.
            let version = self.version.read().unwrap();
            let Version { request, keys, pool } = &*version;
            let id = 1 + (number + round * i64::from(CONNECTIONS)) % ROWS;
            let result = pool.get().map_err(|error| error.to_string());
            let result = result.and_then(|mut conn| keyring(keys.iter().copied()).scope(|| request(&mut conn, id)));
            drop(version);
            match result {
                Ok(()) => self.succeeded.fetch_add(1, Relaxed),
                Err(error) => {
                    *self.error.lock().unwrap() = Some(error);
                    self.failed.fetch_add(1, Relaxed)
                }
            };
        }
    }

    /// Deploys a model, with these keys.
    pub fn deploy(&self, request: Request, keys: &[u8]) {
        let mut version = self.version.write().unwrap();
        version.request = request;
        version.keys = keys.to_vec();
    }

    /// Replaces the pool, as a restart of every instance does.
    pub fn restart(&self, cache: CacheSize) {
        let pool = pool(&self.url, cache);
        self.version.write().unwrap().pool = pool;
    }

    /// Takes a step between requests, and returns how many requests succeeded and failed.
    pub fn during(&self, name: &str, step: impl FnOnce()) -> (u64, u64) {
        let now = || (self.succeeded.load(Relaxed), self.failed.load(Relaxed));
        let before = now();
        self.wait();
        step();
        self.wait();
        let after = now();
        let (succeeded, failed) = (after.0 - before.0, after.1 - before.1);
        println!("{name}: {succeeded} requests succeeded, {failed} failed");
        (succeeded, failed)
    }

    /// Takes a step during which no request fails.
    #[track_caller]
    pub fn unharmed(&self, name: &str, step: impl FnOnce()) {
        let (_, failed) = self.during(name, step);
        assert_eq!(failed, 0, "{name}: {:?}", self.error.lock().unwrap());
    }

    /// Waits for further requests, which use every connection.
    fn wait(&self) {
        let all = || self.succeeded.load(Relaxed) + self.failed.load(Relaxed);
        let until = all() + REQUESTS;
        while all() < until {
            thread::yield_now();
        }
    }
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn pool(url: &str, cache: CacheSize) -> Pool<ConnectionManager<Conn>> {
    let pool = Pool::builder().max_size(CONNECTIONS).connection_customizer(Box::new(Prepare(cache)));
    pool.build(ConnectionManager::new(url)).unwrap()
}

/// The program, for this column.
pub fn program(db: &TestDatabase, column: &str, args: &[&str], keys: &[u8]) -> Program {
    let keys: Vec<String> = keys.iter().map(|number| key_text(*number)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Program::new(args.to_vec()).args(["--column", column]).keys(&keys).database(&db.url())
}

/// The runbooks for adoption and rotation, step by step.
#[test]
fn no_step_of_the_runbooks_fails_a_request() {
    let column = if TO_ASCII.is_some() { "varchar(80)" } else { TEXT };
    Application::run(column, CacheSize::Unbounded, |application, db| {
        let run =
            |args: &[&str], keys: &[u8], exit: i32| drop(program(db, "people.email", args, keys).exits_with(exit));
        let sql = |sql: &str| db.conn().batch_execute(sql).unwrap();
        if TO_ASCII.is_some() {
            run(&["encrypt", "--dry-run"], &[OLD], 5);
            let wider = "alter table people modify email varchar(421) not null";
            application.unharmed("adoption 2, make the column longer", || sql(wider));
        }
        application.unharmed("adoption 2, look for room", || run(&["encrypt", "--dry-run"], &[OLD], 3));
        application.unharmed("adoption 5, Leaving", || application.deploy(as_leaving, &[OLD]));
        application.unharmed("adoption 5, look for tokens", || run(&["encrypt", "--dry-run"], &[OLD], 3));
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
        let encrypt = ["encrypt", "--accept-tokens-since", &now, "--dry-run"];
        application.unharmed("adoption 6, Adopting", || application.deploy(as_adopting, &[OLD]));
        application.unharmed("adoption 8, rehearse", || run(&encrypt, &[OLD], 3));
        application.unharmed("adoption 9, encrypt", || run(&encrypt[..3], &[OLD], 0));
        if let Some(to_ascii) = TO_ASCII {
            application.unharmed("adoption 10, MODIFY to ascii_bin", || sql(to_ascii));
        }
        let mut guards = None;
        application
            .unharmed("adoption 11, write the guard", || guards = Some(Migrations::written(db, &["people.email"])));
        let guards = guards.unwrap();
        application.unharmed("adoption 12, the guard", || guards.run(&mut patient(db)).unwrap());
        application.unharmed("adoption 12, Encrypted", || application.deploy(as_encrypted, &[OLD]));

        application.unharmed("rotation 4, old:new", || application.deploy(as_encrypted, &[OLD, NEW]));
        application.unharmed("rotation 5, new:old", || application.deploy(as_encrypted, &[NEW, OLD]));
        let tables = state_tables::<<Conn as Connection>::Backend>();
        let all = |statements: &[String]| {
            statements.iter().for_each(|statement| patient(db).batch_execute(statement).unwrap())
        };
        application.unharmed("rotation 7, create the tables", || all(&tables.create));
        application
            .unharmed("rotation 8, status", || drop(program(db, "people.email", &["status"], &[NEW, OLD]).run()));
        application.unharmed("rotation 9, rehearse", || {
            drop(program(db, "people.email", &["reencrypt", "--dry-run"], &[NEW, OLD]).run())
        });
        let slow = ["reencrypt", "--max-rows-per-second=50", "--batch-size=10"];
        let mut running = program(db, "people.email", &slow, &[NEW, OLD]).start();
        let control = |command: &str| Program::new([command]).database(&db.url()).run().code;
        running.until(|| control("pause") == 0);
        application.unharmed("rotation 13, resume", || assert_eq!(control("resume"), 0));
        application.unharmed("rotation 13, pause", || assert_eq!(control("pause"), 0));
        application.unharmed("rotation 13, stop", || assert_eq!(control("stop"), 0));
        assert_eq!(running.wait().code, 6);
        application.unharmed("rotation 11, reencrypt", || run(&["reencrypt", "--workers=2"], &[NEW, OLD], 0));
        application.unharmed("rotation 17, retire", || run(&["retire", &fingerprint(OLD)], &[NEW, OLD], 0));
        application.unharmed("rotation 18, new", || application.deploy(as_encrypted, &[NEW]));
        application.unharmed("rotation 20, drop the tables", || all(&tables.drop));

        application.unharmed("adoption O1, Adopting", || application.deploy(as_adopting, &[NEW]));
        application.unharmed("adoption O2, take the guard off", || guards.revert(&mut patient(db)).unwrap());
        application.unharmed("adoption O3, Leaving", || application.deploy(as_leaving, &[NEW]));
        let decrypt = ["decrypt", "--write-plaintext", "people.email"];
        application.unharmed("adoption O4, decrypt", || run(&decrypt, &[NEW], 0));
        application.unharmed("adoption O5, plain", || application.deploy(as_plaintext, &[NEW]));
        application.unharmed("a restart of every instance", || application.restart(CacheSize::Unbounded));
    });
}

/// A connection that waits for its turn, as `diesel migration run` does by default on the servers.
fn patient(db: &TestDatabase) -> Conn {
    let mut conn = db.conn();
    conn.batch_execute(PREPARE).unwrap();
    conn
}

/// The other way of the runbook for adoption, for the instances that do not know the new column yet.
#[test]
fn a_new_column_fails_no_request() {
    Application::run(TEXT, CacheSize::Unbounded, |application, db| {
        let sql = |sql: &str| patient(db).batch_execute(sql).unwrap();
        application.unharmed("adoption N1, expand", || sql(&format!("alter table people add column copy {TEXT}")));
        application.unharmed("adoption N2, write both", || application.deploy(as_both, &[OLD]));
        application.unharmed("adoption N3, backfill", || {
            for id in (0..ROWS).step_by(100) {
                sql(&format!("update people set copy = email where copy is null and id > {id} and id <= {}", id + 100));
            }
        });
        application.unharmed("adoption N4, encrypt", || {
            program(db, "people.copy", &["encrypt", "--accept-tokens"], &[OLD]).exits_with(0);
        });
        let guards = Migrations::written(db, &["people.copy"]);
        application.unharmed("adoption N5, the guard", || guards.run(&mut patient(db)).unwrap());
        for (step, statement) in NOT_NULL {
            application.unharmed(step, || sql(statement));
        }
        application.unharmed("adoption N6, switch", || application.deploy(as_switched, &[OLD]));
        if NOT_NULL.is_empty() {
            // SQLite cannot remove a NOT NULL, so the application stops for the last two steps.
            return;
        }
        application.unharmed("adoption N6, contract the model", || application.deploy(as_contracted, &[OLD]));
        application.unharmed("adoption N7, contract", || sql("alter table people drop column email"));
    });
}
