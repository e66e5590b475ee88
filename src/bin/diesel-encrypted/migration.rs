//! `migration state`: the tables of the task as a Diesel migration.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel_encrypted::reencrypt::StateTables;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cli::{Backend, State};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::output;

/// How the folder of the migration ends, behind its time.
const NAME: &str = "_diesel_encrypted_state";

/// Writes it, and prints where.
pub(crate) fn state(options: &State) -> Result<Exit, Failure> {
    let backend = match options.backend {
        Some(backend) => backend,
        None => Backend::of(database::url(options.database_url.as_deref())?)?,
    };
    let tables = backend.state_tables()?;
    let migrations = match &options.dir {
        Some(folder) => folder.clone(),
        None => default_folder()?,
    };
    if let Some(former) = former(&migrations)? {
        return Err(Failure::new(
            Exit::Refused,
            format!("the migration is there already: {}. Run it with `diesel migration run`", former.display()),
        ));
    }
    let folder = migrations.join(format!("{}{NAME}", version()?));
    write(&folder, &tables).map_err(|error| cannot_write(&folder, &error))?;
    output::line(folder.display())
}

fn write(folder: &Path, tables: &StateTables) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let up = format!(
        "-- The tables through which any number of `diesel-encrypted reencrypt` share one run. They hold no values.\n\
         -- Whoever runs it needs SELECT, INSERT, UPDATE and DELETE on them.\n\n{}",
        statements(&tables.create)
    );
    std::fs::write(folder.join("up.sql"), up)?;
    std::fs::write(folder.join("down.sql"), statements(&tables.drop))
}

fn statements(statements: &[String]) -> String {
    statements.iter().map(|statement| format!("{statement};\n")).collect()
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

/// A migration of this kind that was written before.
fn former(migrations: &Path) -> Result<Option<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(migrations) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(|error| usage(format!("cannot read {}: {error}", migrations.display())))?,
    };
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(NAME))))
}

/// The time as Diesel's own migrations have it: `2026-11-25-023310`.
fn version() -> Result<String, Failure> {
    let format = format_description!("[year]-[month]-[day]-[hour][minute][second]");
    let now = OffsetDateTime::now_utc().format(format);
    now.map_err(|error| Failure::new(Exit::Internal, format!("no time for the name of the migration: {error}")))
}

fn cannot_write(folder: &Path, error: &std::io::Error) -> Failure {
    usage(format!("cannot write {}: {error}", folder.display()))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}
