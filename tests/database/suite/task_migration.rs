//! The task as one of several migrations.

use std::fs;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{ReencryptMigration, Task};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use tempfile::TempDir;

use super::sql::texts;
use crate::backend::{Conn, TEXT, TestDatabase};
use crate::support::keys::keyring;

const BEFORE: &str = "2026-01-01-000000_before";
const REENCRYPT: &str = "2026-01-02-000000_reencrypt_t";
const AFTER: &str = "2026-01-03-000000_after";

/// Returns a migration that creates a table with tokens under the key 1, and a later one that copies them.
fn files() -> (TempDir, FileBasedMigrations) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, up: &str, down: &str| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("up.sql"), up).unwrap();
        fs::write(folder.join("down.sql"), down).unwrap();
    };
    let create = format!("create table t (id int not null primary key, secret {TEXT});");
    let row = |id| format!("insert into t values ({id}, '{}');", keyring([1]).encrypt(b"x"));
    write(BEFORE, &format!("{create} {} {}", row(1), row(2)), "drop table t");
    write(AFTER, "create table copies as select secret from t", "drop table copies");
    let source = FileBasedMigrations::from_path(folder.path()).unwrap();
    (folder, source)
}

fn migration(db: &TestDatabase) -> ReencryptMigration<Conn> {
    migration_with(db, Duration::from_secs(60))
}

fn migration_with(db: &TestDatabase, fence_timeout: Duration) -> ReencryptMigration<Conn> {
    ReencryptMigration::new(REENCRYPT, &db.pool(1), move || {
        Ok(Task::new(keyring([2, 1])).target("t.secret".parse()?).fence_timeout(fence_timeout))
    })
}

fn run_first(conn: &mut Conn, source: &FileBasedMigrations) {
    let pending = conn.pending_migrations(source.clone()).unwrap();
    conn.run_migration(&pending[0]).unwrap();
}

fn applied(conn: &mut Conn) -> Vec<String> {
    let mut versions = conn.applied_migrations().unwrap();
    versions.reverse();
    versions.iter().map(ToString::to_string).collect()
}

/// Returns what the last migration has copied.
fn copies(conn: &mut Conn) -> Vec<String> {
    texts(conn, "select secret from copies")
}

#[test]
fn between_migrations_of_sql() {
    let (_folder, source) = files();
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.run_pending_migrations(migration(&db).among(source.clone())).unwrap();
    assert_eq!(applied(conn), ["20260101000000", "20260102000000", "20260103000000"]);
    assert_eq!(copies(conn).len(), 2);
    assert!(copies(conn).iter().all(|token| keyring([2]).decrypt(token.as_bytes()).is_ok()));
    assert!(conn.run_pending_migrations(migration(&db).among(source.clone())).unwrap().is_empty());

    conn.revert_all_migrations(migration(&db).among(source)).unwrap();
    assert_eq!(applied(conn), [""; 0]);
}

#[test]
fn stays_pending_until_it_is_proven() {
    let (_folder, source) = files();
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    run_first(conn, &source);
    // Nothing remains to be written, so SQLite does not have to wait.
    assert!(Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).run(&db.pool(1)).unwrap().is_proven());
    let mut application = db.conn();
    let token = keyring([1]).encrypt(b"x");
    application.batch_execute(&format!("begin; insert into t values (3, '{token}')")).unwrap();
    let impatient = migration_with(&db, Duration::ZERO).among(source.clone());
    let said = conn.run_pending_migrations(impatient).unwrap_err().to_string();
    assert!(said.starts_with("the task has not proven that its job is done: transactions that began"), "{said}");
    assert_eq!(applied(conn), ["20260101000000"]);
    application.batch_execute("commit").unwrap();
    conn.run_pending_migrations(migration(&db).among(source)).unwrap();
    assert_eq!(copies(conn).len(), 3);
    assert!(copies(conn).iter().all(|token| keyring([2]).decrypt(token.as_bytes()).is_ok()));
}

#[test]
fn stays_pending_while_there_are_bad_values_unless_they_are_accepted() {
    let (_folder, source) = files();
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    run_first(conn, &source);
    conn.batch_execute("insert into t values (3, 'plaintext')").unwrap();
    let error = conn.run_pending_migrations(migration(&db).among(source.clone())).unwrap_err();
    assert!(error.to_string().starts_with("1 values are not readable with this keyring"), "{error}");
    assert_eq!(applied(conn), ["20260101000000"]);
    conn.run_pending_migrations(migration(&db).accept_problems(true).among(source)).unwrap();
    assert!(copies(conn).contains(&"plaintext".to_owned()));
}
