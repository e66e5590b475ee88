//! `diesel-encrypted`: manages encrypted columns from the command line.
//!
//! Results go to standard output, messages and progress to standard error. The exit code says how the command ended.

#![forbid(unsafe_code)]

mod arguments;
mod cli;
mod database;
mod dotenv;
mod exit;
mod metrics;
mod migration;
mod notes;
mod output;
mod progress;
mod remedy;
mod shell;
mod summary;
mod targets;
mod url;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_encrypted::discover::Discovery;
use diesel_encrypted::reencrypt::{Job, StopHandle, Task};
use diesel_encrypted::{Fingerprint, InvalidFingerprint, Key, Keyring, Target};

use cli::{
    Cli, Command, DatabaseArgs, DecryptArgs, DiscoverArgs, FenceArgs, LimitArgs, LookalikeArgs, Migration,
    ProblemsArgs, ReadArgs, RetireArgs, RewriteArgs,
};
use database::{Database, Request};
use exit::{Exit, Failure};
use metrics::Metrics;
use output::Ending;
use progress::ProgressDisplay;

fn main() -> ExitCode {
    // The file may set arguments, so it is read before them. Some commands, and the help, need no settings.
    let settings = dotenv::load();
    let Cli { command, color, quiet } = match arguments::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = command.is_json();
    notes::set_quiet(quiet);
    if let Some(failure) = settings.err().filter(|_| !command.needs_no_settings()) {
        return fail(&failure, json);
    }
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if json {
        log.json().flatten_event(true).init();
    } else {
        log.with_ansi(color.applies_to(&io::stderr())).fmt_fields(notes::fields()).init();
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
        Command::Status(args) => status(args),
        Command::Reencrypt(args) => rewrite(args, Job::Reencrypt, |_| Ok(()), |task| task),
        Command::Encrypt(args) => rewrite(
            &args.rewrite,
            Job::Encrypt,
            |_| Ok(()),
            |task| {
                let accepting = match args.accept_tokens_since {
                    Some(time) => task.accept_tokens_since(time),
                    None if args.accept_tokens => task.accept_tokens(),
                    None => task,
                };
                with_lookalikes(accepting, &args.lookalikes)
            },
        ),
        Command::Decrypt(DecryptArgs { rewrite: args, write_plaintext, lookalikes }) => {
            let confirm = |targets: &[Target]| targets::confirm(targets, write_plaintext);
            rewrite(args, Job::Decrypt, confirm, |task| with_lookalikes(task, lookalikes))
        }
        Command::Retire(args) => retire(args),
        Command::Discover(args) => discover(args),
        Command::Problems(args) => problems(args),
        Command::Pause(args) => ask(Request::Pause, args),
        Command::Resume(args) => ask(Request::Resume, args),
        Command::Stop(args) => ask(Request::Stop, args),
        Command::Migration(Migration::State(args)) => migration::state(args),
        Command::Migration(Migration::Guard(args)) => migration::guard(args),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    }
}

fn status(args: &ReadArgs) -> Result<Exit, Failure> {
    let stop = stop_on_signal(args.json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let read = || {
        let targets = targets::find(args)?;
        let database = connect(args)?;
        let task = task(args, targets, &keyring, &stop);
        let mut display = ProgressDisplay::new("reading".into(), None, args.json);
        let status = database.status(task.on_progress(|progress| display.show(progress)));
        display.finish().print_if_long(args.json);
        Ok((status?, database.run()?))
    };
    output::status(&keyring, read(), args.json)
}

fn retire(args: &RetireArgs) -> Result<Exit, Failure> {
    let RetireArgs { read, fence, key } = args;
    let stop = stop_on_signal(read.json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let key: Fingerprint = key.parse().map_err(|error: InvalidFingerprint| {
        Failure::usage(format!("the key {error}, as `diesel-encrypted keys` shows them"))
    })?;
    let retirement = || {
        let targets = targets::find(read)?;
        let database = connect(read)?;
        let task = with_fence(task(read, targets, &keyring, &stop), fence)?;
        let mut display = ProgressDisplay::new("reading".into(), None, read.json);
        let retirement = database.retire(task.on_progress(|progress| display.show(progress)), key);
        display.finish().print_if_long(read.json);
        Ok(retirement?)
    };
    output::retirement(&keyring, retirement(), read.json)
}

/// Runs `reencrypt`, `encrypt` or `decrypt`, if `check` accepts the columns. `with_options` adds the options of the job.
fn rewrite<'a>(
    args: &RewriteArgs,
    job: Job,
    check: impl FnOnce(&[Target]) -> Result<(), Failure>,
    with_options: impl FnOnce(Task<'a>) -> Task<'a>,
) -> Result<Exit, Failure> {
    let json = args.read.json;
    let stop = stop_on_signal(json)?;
    let keyring = Arc::new(Keyring::from_env()?);
    let mut metrics = args.metrics_file.as_deref().map(Metrics::new).transpose()?;
    let prepare = || -> Result<(Database, Task<'a>), Failure> {
        let targets = targets::find(&args.read)?;
        check(&targets)?;
        let database = connect(&args.read)?;
        let task = with_job_options(task(&args.read, targets, &keyring, &stop), args, job)?;
        Ok((database, with_options(task)))
    };
    let mut summary = None;
    let ending = match prepare() {
        Err(failure) => Ending { report: None, failure: Some(failure) },
        Ok((database, task)) => {
            let verb = if args.dry_run { format!("dry run, {job}") } else { job.to_string() };
            let mut display = ProgressDisplay::new(verb, (!args.dry_run).then(|| output::written(job)), json);
            let observed = task.on_progress(|progress| {
                display.show(progress);
                if let Some(metrics) = &mut metrics {
                    metrics.show(progress);
                }
            });
            let result = database.estimate(&observed).and_then(|estimate| {
                notes::estimate(json, &estimate);
                database.reencrypt(observed)
            });
            summary = Some(display.finish());
            Ending::from(result)
        }
    };
    if let Some(metrics) = &mut metrics {
        metrics.finish(ending.report.as_ref(), ending.exit());
    }
    output::report(&keyring, job, ending, json, args.dry_run, summary)
}

fn discover(args: &DiscoverArgs) -> Result<Exit, Failure> {
    let DiscoverArgs { database, schema, ignored, json } = args;
    let discovered = || {
        let discovery = Discovery::new()
            .declared(targets::declared_in(schema.as_deref())?)
            .ignore(ignored.iter().cloned())
            .give_up_after(Duration::from_secs(database.give_up_after));
        Ok(Database::connect(database, 1)?.discover(discovery)?)
    };
    output::discovery(discovered(), *json)
}

fn problems(args: &ProblemsArgs) -> Result<Exit, Failure> {
    let ProblemsArgs { database, json } = args;
    let recorded = || Ok(Database::connect(database, 1)?.problems(Duration::from_secs(database.give_up_after))?);
    output::problems(recorded(), *json)
}

/// Sends a request to the running processes, and prints their names.
fn ask(request: Request, args: &DatabaseArgs) -> Result<Exit, Failure> {
    let run = Database::connect(args, 1)?.ask(request, Duration::from_secs(args.give_up_after))?;
    let answer = match request {
        Request::Pause => "paused",
        Request::Resume => "resumed",
        Request::Stop => "stopping",
    };
    output::line(format_args!("{answer}: {}", run.processes.join(", ")))
}

fn connect(args: &ReadArgs) -> Result<Database, Failure> {
    Database::connect(&args.database, args.workers.get())
}

/// A task with the options of all commands that read the columns.
fn task<'a>(args: &ReadArgs, targets: Vec<Target>, keyring: &Arc<Keyring>, stop: &StopHandle) -> Task<'a> {
    let rules = args.rules.plaintext_where.iter().cloned();
    rules
        .fold(Task::new(Arc::clone(keyring)), |task, (target, condition)| task.plaintext_where(target, condition))
        .targets(targets)
        .workers(args.workers.get())
        .give_up_after(Duration::from_secs(args.database.give_up_after))
        .stop_handle(stop.clone())
}

fn with_lookalikes<'a>(task: Task<'a>, lookalikes: &LookalikeArgs) -> Task<'a> {
    lookalikes.token_like_plaintext.iter().cloned().fold(task, Task::token_like_plaintext)
}

/// Adds the options that all jobs have.
fn with_job_options<'a>(task: Task<'a>, args: &RewriteArgs, job: Job) -> Result<Task<'a>, Failure> {
    let rewriting = task
        .job(job)
        .dry_run(args.dry_run)
        .stateless(args.stateless)
        .accept_triggers(args.accept_triggers)
        .lease(Duration::from_secs(args.lease.get()));
    let limited = with_limits(with_fence(rewriting, &args.fence)?, &args.limits)?;
    Ok(match args.batch_size {
        Some(rows) => limited.batch_size(rows.get()),
        None => limited,
    })
}

fn with_limits<'a>(mut task: Task<'a>, limits: &LimitArgs) -> Result<Task<'a>, Failure> {
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
    Ok(task.replicas(urls(&limits.replicas)?))
}

fn with_fence<'a>(task: Task<'a>, fence: &FenceArgs) -> Result<Task<'a>, Failure> {
    Ok(task.fence_timeout(Duration::from_secs(fence.fence_timeout)).nodes(urls(&fence.nodes)?))
}

/// The URLs in arguments, each of which may hold several.
fn urls(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let urls = arguments.iter().flat_map(|urls| urls.split_whitespace()).map(url::bare);
    urls.filter(|url| !url.is_empty()).map(url::for_driver).collect()
}

/// Makes the first signal stop the workers after their batch, and the second end the program at once. Both are safe.
fn stop_on_signal(json: bool) -> Result<StopHandle, Failure> {
    let stop = StopHandle::default();
    let handle = stop.clone();
    let is_asked = AtomicBool::new(false);
    let handler = move || {
        if is_asked.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Stopped as i32);
        }
        notes::warn(
            json,
            "stopping",
            "stopping after the current batch. Press Ctrl-C or send the signal again to stop at once.",
        );
        handle.stop();
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot handle signals: {error}")))?;
    Ok(stop)
}
