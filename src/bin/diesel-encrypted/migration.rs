//! `migration state` and `migration guard`: Diesel migrations for the state tables and for guards.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel_encrypted::guard::{GuardMigration, Way};
use diesel_encrypted::reencrypt::StateTables;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::cli::{Backend, DatabaseArgs, GuardArgs, StateArgs};
use crate::database::Database;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::url;

/// Writes a migration for the state tables, and prints its folder.
pub(crate) fn state(args: &StateArgs) -> Result<Exit, Failure> {
    let backend = match args.backend {
        Some(backend) => backend,
        None => Backend::of(url::named(args.database_url.as_deref())?)?,
    };
    let tables = backend.state_tables()?;
    write(&folder(args.dir.as_deref())?, vec![Files::of_state(&tables)])
}

/// Writes migrations for guards, and prints their folders and notes on their effects.
pub(crate) fn guard(args: &GuardArgs) -> Result<Exit, Failure> {
    // Finds the folder first, because generating the guards reads whole tables.
    let folder = folder(args.dir.as_deref())?;
    let database = DatabaseArgs { database_url: args.database_url.clone(), give_up_after: 0 };
    let way = match (args.online, args.domain) {
        (_, true) => Way::Domain,
        (true, false) => Way::Online,
        (false, false) => Way::Check,
    };
    let migrations = Database::connect(&database, 1)?.guard(&args.columns, way)?;
    let notes: Vec<String> = migrations.iter().flat_map(|migration| migration.notes.clone()).collect();
    let has_online_way = migrations.iter().any(|migration| migration.has_online_way);
    let exit = write(&folder, migrations.into_iter().map(Files::of_guard).collect())?;
    // Several tables may have the same note.
    let mut printed = BTreeSet::new();
    for note in notes.iter().filter(|note| printed.insert(note.as_str())) {
        eprintln!("- {note}.");
    }
    if has_online_way {
        eprintln!("- With --online, writers continue, too.");
    }
    eprintln!("{LIMITS_OF_GUARDS}");
    Ok(exit)
}

const LIMITS_OF_GUARDS: &str = "\
- A guard knows the shape of a token, but no keys. It accepts tokens that no key of the keyring opens, tokens from
  another row, and plaintext with the same shape. `diesel-encrypted status` shows what the columns hold.
Read the SQL, then run it with `diesel migration run`.";

/// The files of a migration.
struct Files {
    /// The name of the folder after its timestamp.
    name: String,
    up: String,
    down: String,
    in_transaction: bool,
}

impl Files {
    fn of_state(tables: &StateTables) -> Self {
        let up = format!(
            "-- Through these tables, several processes of `diesel-encrypted` share a run. They hold no values.\n\
             -- The user of these processes needs SELECT, INSERT, UPDATE and DELETE on them.\n\n{}",
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

/// Writes migrations with the current time, so that Diesel runs them in this order, and prints their folders.
fn write(dir: &Path, migrations: Vec<Files>) -> Result<Exit, Failure> {
    let existing = existing(dir)?;
    for files in &migrations {
        let former = existing.iter().find(|folder| folder.split_once('_').is_some_and(|(_, name)| name == files.name));
        if let Some(former) = former {
            return Err(Failure::refused(format!(
                "a migration with this name exists: {}. If it has not run yet, run it with `diesel migration run`, \
                 or delete it and try again. If a later migration has undone it, rename its folder, but keep the \
                 timestamp.",
                dir.join(former).display()
            )));
        }
    }
    let mut time = OffsetDateTime::now_utc();
    for files in &migrations {
        let mut version = version(time)?;
        // Diesel treats two migrations of the same version as one.
        while existing.iter().any(|folder| folder.starts_with(&version)) {
            time += Duration::SECOND;
            version = self::version(time)?;
        }
        time += Duration::SECOND;
        let folder = dir.join(format!("{version}_{}", files.name));
        let written = files.write(&folder);
        written.map_err(|error| Failure::usage(format!("cannot write {}: {error}", folder.display())))?;
        output::line(folder.display())?;
    }
    Ok(Exit::Proven)
}

fn statements(statements: &[String]) -> String {
    statements.iter().map(|statement| format!("{statement};\n")).collect()
}

/// The folder of the migrations: the one that is named, or Diesel's default.
fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    named.map_or_else(default_folder, |folder| Ok(folder.to_owned()))
}

/// The folder that the nearest `diesel.toml` names, here or above, or else the nearest `migrations`.
fn default_folder() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let above = |name: &str| here.ancestors().map(|folder| folder.join(name)).find(|path| path.exists());
    if let Some(path) = above("diesel.toml") {
        let read = std::fs::read_to_string(&path);
        let text = read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        let toml: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::usage(format!("{} is not a Diesel configuration: {error}", path.display()))
        })?;
        let named = toml.get("migrations_directory").and_then(|section| section.get("dir")?.as_str());
        if let Some(named) = named {
            return Ok(path.with_file_name(named));
        }
    }
    above("migrations").ok_or_else(|| {
        Failure::usage(
            "there is no folder `migrations` here or above, and no diesel.toml names one. Name the folder with \
             --dir PATH.",
        )
    })
}

/// The folders of the existing migrations.
fn existing(migrations: &Path) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(migrations) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Failure::usage(format!("cannot read {}: {error}", migrations.display())))?,
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
}

/// A version in the form of Diesel's own migrations: `2026-11-25-023310`.
fn version(time: OffsetDateTime) -> Result<String, Failure> {
    let version = time.format(format_description!("[year]-[month]-[day]-[hour][minute][second]"));
    version.map_err(|error| {
        Failure::new(Exit::Internal, format!("cannot format the time for the migration's name: {error}"))
    })
}
