//! `diesel-encrypted`: keys, status and re-encryption of encrypted columns, from the command line.
//!
//! Results go to standard output, everything for people to standard error; the exit code tells how it ended.

#![forbid(unsafe_code)]

mod cli;
mod database;
mod exit;
mod metrics;
mod migration;
mod notes;
mod output;
mod progress;
mod remedy;
mod targets;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use diesel_encrypted::discover::Discovery;
use diesel_encrypted::reencrypt::{Job, StopHandle, Task};
use diesel_encrypted::{Fingerprint, InvalidFingerprint, Key, Keyring, Target};

use cli::{Cli, Command, Decrypt, Discover, Encrypt, Limits, Migration, Problems, Retire, Rewrite, Server, Walk};
use database::{Database, Request};
use exit::{Exit, Failure};
use metrics::Metrics;
use progress::ProgressDisplay;

fn main() -> ExitCode {
    if let Err(failure) = load_dotenv() {
        // Before the arguments are read, since settings may be among them.
        return fail(&failure, std::env::args_os().any(|argument| argument == "--json"));
    }
    let Cli { command } = Cli::parse();
    let json = command.is_json();
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match json {
        true => log.json().flatten_event(true).init(),
        false => log.with_ansi(io::stderr().is_terminal()).init(),
    }
    match run(&command) {
        Ok(exit) => exit.into(),
        Err(failure) => fail(&failure, json),
    }
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    notes::warn(json, "failed", failure);
    failure.exit.into()
}

fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Keygen => output::line(&*Key::generate().to_text()),
        Command::Keys { json } => output::keys(&Keyring::from_env()?, *json),
        Command::Status(walk) => status(walk),
        Command::Reencrypt(options) => rewrite(options, Job::Reencrypt, &[], |_| Ok(())),
        Command::Encrypt(Encrypt { rewrite: options, lookalikes }) => {
            rewrite(options, Job::Encrypt, &lookalikes.token_like_plaintext, |_| Ok(()))
        }
        Command::Decrypt(Decrypt { rewrite: options, write_plaintext, lookalikes }) => {
            rewrite(options, Job::Decrypt, &lookalikes.token_like_plaintext, |targets| {
                targets::confirm(targets, write_plaintext)
            })
        }
        Command::Retire(options) => retire(options),
        Command::Discover(options) => discover(options),
        Command::Problems(options) => problems(options),
        Command::Pause(server) => ask(Request::Pause, server),
        Command::Resume(server) => ask(Request::Resume, server),
        Command::Stop(server) => ask(Request::Stop, server),
        Command::Migration(Migration::State(options)) => migration::state(options),
        Command::Migration(Migration::Guard(options)) => migration::guard(options),
    }
}

fn status(walk: &Walk) -> Result<Exit, Failure> {
    let stop = stop_on_signal(walk.json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let read = || {
        let (database, task) = prepare(walk, targets::find(walk)?, &keyring, &stop)?;
        let mut display = ProgressDisplay::new("reading".into(), walk.json);
        let status = database.status(task.on_progress(|progress| display.show(progress)));
        display.finish();
        Ok((status?, database.run()?))
    };
    output::status(&keyring, read(), walk.json)
}

fn retire(options: &Retire) -> Result<Exit, Failure> {
    let Retire { walk, fence, key } = options;
    let stop = stop_on_signal(walk.json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let key: Fingerprint =
        key.parse().map_err(|error: InvalidFingerprint| Failure::new(Exit::Usage, format!("the key {error}")))?;
    let read = || {
        let (database, task) = prepare(walk, targets::find(walk)?, &keyring, &stop)?;
        let mut display = ProgressDisplay::new("reading".into(), walk.json);
        let task = task.fence_timeout(Duration::from_secs(fence.fence_timeout));
        let retirement = database.retire(task.on_progress(|progress| display.show(progress)), key);
        display.finish();
        Ok(retirement?)
    };
    output::retirement(&keyring, read(), walk.json)
}

/// `reencrypt`, `encrypt` or `decrypt`, on columns that `check` agrees to.
fn rewrite(
    options: &Rewrite,
    job: Job,
    token_like_plaintext: &[Target],
    check: impl FnOnce(&[Target]) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let Rewrite { walk, dry_run, .. } = options;
    let stop = stop_on_signal(walk.json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let mut metrics = options.metrics_file.as_deref().map(Metrics::new).transpose()?;
    let checked = targets::find(walk).and_then(|targets| check(&targets).map(|()| targets));
    let (report, failure) = match checked.and_then(|targets| prepare(walk, targets, &keyring, &stop)) {
        Err(failure) => (None, Some(failure)),
        Ok((database, mut task)) => {
            if let Some(rows) = options.batch_size {
                task = task.batch_size(rows.get());
            }
            task = task.job(job).dry_run(*dry_run).stateless(options.stateless);
            task = token_like_plaintext.iter().cloned().fold(task, Task::token_like_plaintext);
            task = task.lease(Duration::from_secs(options.lease.get())).accept_triggers(options.accept_triggers);
            task = task.fence_timeout(Duration::from_secs(options.fence.fence_timeout));
            task = limited(task, &options.limits);
            let verb = if *dry_run { "dry run".to_owned() } else { job.to_string() };
            let mut display = ProgressDisplay::new(verb, walk.json);
            let task = task.on_progress(|progress| {
                display.show(progress);
                if let Some(metrics) = &mut metrics {
                    metrics.show(progress);
                }
            });
            let result = database.estimate(&task).and_then(|estimate| {
                notes::estimate(walk.json, &estimate);
                database.reencrypt(task)
            });
            display.finish();
            match result {
                Ok(report) => (Some(report), None),
                Err(error) => (error.report().cloned(), Some(Failure::from(error))),
            }
        }
    };
    let exit = output::exit(report.as_ref(), failure.as_ref());
    if let Some(metrics) = &mut metrics {
        metrics.finish(report.as_ref(), exit);
    }
    output::report(&keyring, job, report, failure, walk.json, *dry_run)
}

fn discover(options: &Discover) -> Result<Exit, Failure> {
    let Discover { server, schema, ignored, json } = options;
    let look = || {
        let discovery = Discovery::new()
            .declared(targets::register(schema.as_deref())?)
            .ignore(ignored.iter().cloned())
            .give_up_after(Duration::from_secs(server.give_up_after));
        Ok(Database::connect(server, 1)?.discover(discovery)?)
    };
    output::discovery(look(), *json)
}

fn problems(options: &Problems) -> Result<Exit, Failure> {
    let Problems { server, json } = options;
    let read = || Ok(Database::connect(server, 1)?.problems(Duration::from_secs(server.give_up_after))?);
    output::problems(read(), *json)
}

/// Asks the processes that are at work, and tells which those are.
fn ask(request: Request, server: &Server) -> Result<Exit, Failure> {
    let run = Database::connect(server, 1)?.ask(request, Duration::from_secs(server.give_up_after))?;
    let verb = match request {
        Request::Pause => "paused",
        Request::Resume => "going on",
        Request::Stop => "stopping",
    };
    output::line(format_args!("{verb}: {}", run.processes.join(", ")))
}

/// What all commands that read the columns have in common: database and targets.
fn prepare<'a>(
    walk: &Walk,
    targets: Vec<Target>,
    keyring: &Arc<Keyring>,
    stop: &StopHandle,
) -> Result<(Database, Task<'a>), Failure> {
    let database = Database::connect(&walk.server, walk.workers.get())?;
    let task = Task::new(Arc::clone(keyring))
        .targets(targets)
        .workers(walk.workers.get())
        .give_up_after(Duration::from_secs(walk.server.give_up_after))
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
fn stop_on_signal(json: bool) -> Result<StopHandle, Failure> {
    let stop = StopHandle::default();
    let handle = stop.clone();
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Stopped as i32);
        }
        notes::warn(json, "stopping", "stopping after this batch; once more to stop at once");
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
