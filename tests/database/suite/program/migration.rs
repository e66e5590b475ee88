//! `migration state` writes a migration of the user that creates the tables of the task.

use std::path::{Path, PathBuf};

use diesel_encrypted::reencrypt::state_tables;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::vault::Vault;
use crate::backend::{Conn, SHARES};
use crate::support::runner::{Program, write};

const OLD: u8 = 1;
const NEW: u8 = 2;

fn migration_state(vault: &Vault, folder: &Path) -> Program {
    Program::new(["migration", "state"]).database(&vault.db.url()).folder(folder)
}

/// Returns the folder of the migration that the program wrote.
#[track_caller]
fn written(program: Program) -> PathBuf {
    let run = program.exits_with(0);
    assert_eq!(run.stderr, "");
    run.stdout.trim_end().into()
}

#[test]
fn it_creates_the_tables_of_the_task_and_drops_them_again() {
    type Backend = <Conn as diesel::Connection>::Backend;
    let vault = Vault::sealed(OLD, 1..=5);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("diesel.toml"), "[migrations_directory]\ndir = \"db/changes\"\n");
    let below = folder.path().join("src");
    std::fs::create_dir(&below).unwrap();
    let migration = written(migration_state(&vault, &below));
    let folders = folder.path().canonicalize().unwrap().join("db/changes");
    assert_eq!(migration.parent().unwrap().canonicalize().unwrap(), folders);
    let name = migration.file_name().unwrap().to_str().unwrap();
    let (version, name) = name.split_once('_').unwrap();
    assert_eq!((version.len(), name), ("2026-11-25-023310".len(), "diesel_encrypted_state"));
    let up = std::fs::read_to_string(migration.join("up.sql")).unwrap();
    let statements = state_tables::<Backend>().create.map(|statement| format!("{statement};\n")).concat();
    assert!(up.ends_with(&statements), "{up}");

    let run = migration_state(&vault, &below).exits_with(5);
    assert_eq!(run.stdout, "");
    run.says("a migration with this name exists: ");

    let conn = &mut vault.db.conn();
    let migrations = || FileBasedMigrations::from_path(&folders).unwrap();
    conn.run_pending_migrations(migrations()).unwrap();
    vault.bare_program(&["problems"], &[]).exits_with(5).says("nothing was ever recorded");
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    // The program finds the tables, on every database.
    vault.bare_program(&["problems"], &[]).exits_with(0);
    conn.revert_all_migrations(migrations()).unwrap();
    vault.bare_program(&["problems"], &[]).exits_with(5);
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    vault.bare_program(&["problems"], &[]).exits_with(if SHARES { 0 } else { 5 });
}

#[test]
fn where_it_is_written() {
    let vault = Vault::new();
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("src/bin");
    std::fs::create_dir_all(&below).unwrap();
    let run = migration_state(&vault, &below).exits_with(2);
    run.says("there is no folder `migrations` here or above");

    write(folder.path().join("diesel.toml"), "[print_schema]\nfile = \"src/schema.rs\"\n");
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    let canonical = |path: &Path| path.canonicalize().unwrap();
    let migration = written(migration_state(&vault, &below));
    assert_eq!(canonical(migration.parent().unwrap()), canonical(&folder.path().join("migrations")));

    let named = folder.path().join("named");
    let migration = written(migration_state(&vault, &below).arg("--dir").arg(&named));
    assert_eq!(migration.parent(), Some(named.as_path()));
    write(folder.path().join("diesel.toml"), "[migrations_directory");
    migration_state(&vault, &below).exits_with(2).says("diesel.toml is not a Diesel configuration");
}
