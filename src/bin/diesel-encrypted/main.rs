//! `diesel-encrypted`: keys, status and re-encryption of encrypted columns, from the command line.
//!
//! Results go to standard output, everything for people to standard error; the exit code tells how it ended.

#![forbid(unsafe_code)]

mod cli;
mod database;
mod exit;
mod output;
mod progress;
mod targets;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use diesel_encrypted::reencrypt::{StopHandle, Task};
use diesel_encrypted::{Key, Keyring};

use cli::{Cli, Command, Limits, Reencrypt, Walk};
use database::Database;
use exit::{Exit, Failure};
use progress::ProgressDisplay;

fn main() -> ExitCode {
    match run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("diesel-encrypted: {failure}");
            failure.exit.into()
        }
    }
}

fn run() -> Result<Exit, Failure> {
    load_dotenv()?;
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    log.with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    match cli.command {
        Command::Keygen => output::line(&*Key::generate().to_text()),
        Command::Keys { json } => output::keys(&Keyring::from_env()?, json),
        Command::Status(walk) => status(&walk),
        Command::Reencrypt(options) => reencrypt(&options),
    }
}

fn status(walk: &Walk) -> Result<Exit, Failure> {
    let stop = stop_on_signal()?;
    let (database, task) = prepare(walk, &Arc::new(Keyring::from_env()?), &stop)?;
    let mut display = ProgressDisplay::new("reading");
    let result = database.status(task.observer(|progress| display.show(progress)));
    display.finish();
    output::status(&result?, walk.json)
}

fn reencrypt(options: &Reencrypt) -> Result<Exit, Failure> {
    let walk = &options.walk;
    let stop = stop_on_signal()?;
    let keyring = Arc::new(Keyring::from_env()?);
    let prepared = prepare(walk, &keyring, &stop);
    if let Err(failure) = &prepared {
        output::failure(&keyring, failure, walk.json)?;
    }
    let (database, mut task) = prepared?;
    if let Some(rows) = options.batch_size {
        task = task.batch_size(rows.get());
    }
    task = limited(task, &options.limits);
    let mut display = ProgressDisplay::new(if options.dry_run { "dry run" } else { "re-encrypting" });
    let result = database.reencrypt(task.dry_run(options.dry_run).observer(|progress| display.show(progress)));
    display.finish();
    output::report(&keyring, result, walk.json, options.dry_run)
}

/// What `status` and `reencrypt` have in common: database and targets.
fn prepare<'a>(walk: &Walk, keyring: &Arc<Keyring>, stop: &StopHandle) -> Result<(Database, Task<'a>), Failure> {
    let targets = targets::find(walk)?;
    let database = Database::connect(walk)?;
    let task = Task::new(Arc::clone(keyring))
        .targets(targets)
        .workers(walk.workers.get())
        .give_up_after(Duration::from_secs(walk.give_up_after))
        .stop_handle(stop.clone());
    Ok((database, task))
}

fn limited<'a>(mut task: Task<'a>, limits: &Limits) -> Task<'a> {
    if let Some(rows) = limits.max_rows_per_second {
        task = task.max_rows_per_second(rows.get());
    }
    if let Some(ratio) = limits.nice {
        task = task.nice(ratio);
    }
    if let Some(time) = limits.max_lag {
        task = task.max_lag(time);
    }
    if let Some(bytes) = limits.max_lag_bytes {
        task = task.max_lag_bytes(bytes);
    }
    if let Some(path) = &limits.pause_file {
        task = task.pause_file(path);
    }
    if let Some(time) = limits.max_runtime {
        task = task.max_runtime(time);
    }
    let urls = limits.replicas.iter().flat_map(|urls| urls.split_whitespace());
    task.replicas(urls.map(|url| match url.strip_prefix("mariadb://") {
        Some(rest) => format!("mysql://{rest}"),
        None => url.to_owned(),
    }))
}

/// The first signal lets the workers finish their batch, the second ends the program at once, which is safe too.
fn stop_on_signal() -> Result<StopHandle, Failure> {
    let stop = StopHandle::default();
    let handle = stop.clone();
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Stopped as i32);
        }
        eprintln!("diesel-encrypted: stopping after this batch; once more to stop at once");
        handle.stop();
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::new(Exit::Internal, format!("no signal handler: {error}")))?;
    Ok(stop)
}

fn load_dotenv() -> Result<(), Failure> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // dotenvy's own message quotes the line, which may hold a key.
        Err(dotenvy::Error::LineParse(..)) => {
            Err(Failure::new(Exit::Usage, "the file .env has a line that is not NAME=value".into()))
        }
        Err(error) => Err(Failure::new(Exit::Usage, format!("the file .env cannot be read: {error}"))),
    }
}
