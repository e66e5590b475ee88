//! `migration state` and `migration guard`: the tables of the task, and guards of columns, as Diesel migrations.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel_encrypted::guard::{GuardMigration, Way};
use diesel_encrypted::reencrypt::StateTables;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::cli::{Backend, Guard, Server, State};
use crate::database::{self, Database};
use crate::exit::{Exit, Failure};
use crate::output;

/// Writes the tables of the task, and prints where.
pub(crate) fn state(options: &State) -> Result<Exit, Failure> {
    let backend = match options.backend {
        Some(backend) => backend,
        None => Backend::of(database::url(options.database_url.as_deref())?)?,
    };
    let tables = backend.state_tables()?;
    write(&folder(options.dir.as_deref())?, vec![Files::of_state(&tables)])
}

/// Writes guards, prints where, and tells what they will do to the tables.
pub(crate) fn guard(options: &Guard) -> Result<Exit, Failure> {
    // Before whole tables are read.
    let folder = folder(options.dir.as_deref())?;
    let server = Server { database_url: options.database_url.clone(), give_up_after: 0 };
    let way = if options.online { Way::Online } else { Way::AtOnce };
    let migrations = Database::connect(&server, 1)?.guard(&options.columns, way)?;
    let notes: Vec<String> = migrations.iter().flat_map(|migration| migration.notes.clone()).collect();
    let has_online_way = migrations.iter().any(|migration| migration.has_online_way);
    let exit = write(&folder, migrations.into_iter().map(Files::of_guard).collect())?;
    // The same holds for several tables.
    let mut told = BTreeSet::new();
    for note in notes.iter().filter(|note| told.insert(note.as_str())) {
        eprintln!("- {note}.");
    }
    if has_online_way {
        eprintln!("- With --online, readers and writers continue.");
    }
    eprintln!("{WHAT_GUARDS_DO_NOT_DO}");
    Ok(exit)
}

const WHAT_GUARDS_DO_NOT_DO: &str = "\
- A guard knows the shape of a token and no keys: it takes tokens that no key of the keyring opens, tokens from another
  row, and plaintext that has the shape. `diesel-encrypted status` tells what is in the columns.
Run it with `diesel migration run`, after a look at the SQL.";

/// A migration, as the files in its folder.
struct Files {
    /// How the folder is called, behind its time.
    name: String,
    up: String,
    down: String,
    in_transaction: bool,
}

impl Files {
    fn of_state(tables: &StateTables) -> Self {
        let up = format!(
            "-- The tables through which any number of `diesel-encrypted reencrypt` share one run. They hold no values.\n\
             -- Whoever runs it needs SELECT, INSERT, UPDATE and DELETE on them.\n\n{}",
            statements(&tables.create)
        );
        Self { name: "diesel_encrypted_state".into(), up, down: statements(&tables.drop), in_transaction: true }
    }

    fn of_guard(migration: GuardMigration) -> Self {
        let GuardMigration { name, up, down, in_transaction, .. } = migration;
        Self { name, up, down, in_transaction }
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        if !self.in_transaction {
            std::fs::write(folder.join("metadata.toml"), "run_in_transaction = false\n")?;
        }
        std::fs::write(folder.join("down.sql"), &self.down)?;
        std::fs::write(folder.join("up.sql"), &self.up)
    }
}

/// Writes migrations with the time of now, which Diesel runs in this order, and prints where.
fn write(dir: &Path, migrations: Vec<Files>) -> Result<Exit, Failure> {
    let there = there(dir)?;
    for files in &migrations {
        let former = there.iter().find(|folder| folder.split_once('_').is_some_and(|(_, name)| name == files.name));
        if let Some(former) = former {
            let former = dir.join(former);
            return Err(Failure::new(
                Exit::Refused,
                format!(
                    "a migration of this name is there already: {}. If it was never run, run it with `diesel migration \
                     run`, or delete it to have it written anew. If it was, and another one took back what it did, \
                     rename its folder behind the time",
                    former.display()
                ),
            ));
        }
    }
    let mut time = OffsetDateTime::now_utc();
    for files in &migrations {
        let mut version = version(time)?;
        // Two migrations of one version are one to Diesel.
        while there.iter().any(|folder| folder.starts_with(&version)) {
            time += Duration::SECOND;
            version = self::version(time)?;
        }
        time += Duration::SECOND;
        let folder = dir.join(format!("{version}_{}", files.name));
        files.write(&folder).map_err(|error| cannot_write(&folder, &error))?;
        output::line(folder.display())?;
    }
    Ok(Exit::Proven)
}

fn statements(statements: &[String]) -> String {
    statements.iter().map(|statement| format!("{statement};\n")).collect()
}

/// The one that is named, or the one that Diesel takes.
fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    named.map_or_else(default_folder, |folder| Ok(folder.to_owned()))
}

/// That of `diesel.toml`, here or in the nearest folder above that has one; else `migrations`, here or above.
fn default_folder() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let above = |name: &str| here.ancestors().map(|folder| folder.join(name)).find(|path| path.exists());
    if let Some(path) = above("diesel.toml") {
        let read = std::fs::read_to_string(&path);
        let text = read.map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
        let toml: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            usage(format!("{} is not a Diesel configuration: {error}", path.display()))
        })?;
        let named = toml.get("migrations_directory").and_then(|section| section.get("dir")?.as_str());
        if let Some(named) = named {
            return Ok(path.with_file_name(named));
        }
    }
    above("migrations").ok_or_else(|| {
        usage("there is no folder `migrations` here or above, and no diesel.toml names one: name it with --dir".into())
    })
}

/// The names of the migrations that were written before.
fn there(migrations: &Path) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(migrations) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| usage(format!("cannot read {}: {error}", migrations.display())))?,
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
}

/// The time as Diesel's own migrations have it: `2026-11-25-023310`.
fn version(time: OffsetDateTime) -> Result<String, Failure> {
    let version = time.format(format_description!("[year]-[month]-[day]-[hour][minute][second]"));
    version.map_err(|error| Failure::new(Exit::Internal, format!("no time for the name of the migration: {error}")))
}

fn cannot_write(folder: &Path, error: &std::io::Error) -> Failure {
    usage(format!("cannot write {}: {error}", folder.display()))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}
