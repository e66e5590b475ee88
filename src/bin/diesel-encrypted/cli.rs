//! The arguments.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use diesel_encrypted::Target;

/// Keys, status and re-encryption of encrypted columns.
///
/// The keys come from DB_ENCRYPTION_KEYS (the primary first, separated by `:`), PINAKES_DB_ENCRYPTION_KEYS, or the
/// file that DB_ENCRYPTION_KEYS_FILE names. Settings are also read from a file .env.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints a new key, and nothing else
    #[command(visible_alias = "generate_encryption_key")]
    Keygen,
    /// Lists the keys of the keyring: position, role, fingerprint
    Keys {
        /// Prints one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tells under which keys the values are, per column; writes nothing
    Status(Walk),
    /// Rewrites every value under the primary key, and proves that none is left under another
    #[command(visible_alias = "reencrypt_database")]
    Reencrypt(Rewrite),
    /// Turns plaintext into tokens under the primary key while the application runs, and proves that none is left
    Encrypt(Encrypt),
    /// Turns tokens back into plaintext while the application runs, and proves that none is left
    Decrypt(Decrypt),
    /// Proves that no value is under a key, which may then be removed from the keyring; writes nothing
    Retire(Retire),
    /// Compares the database with the columns that the schema file declares as encrypted; writes nothing
    Discover(Discover),
    /// Lists the values that had to be left as they are, as they were recorded
    Problems(Problems),
    /// Lets the processes wait that are rewriting the database now
    Pause(Server),
    /// Lets them go on
    Resume(Server),
    /// Ends them after the batch that they are at
    Stop(Server),
    /// Writes Diesel migrations
    #[command(subcommand)]
    Migration(Migration),
}

#[derive(Args)]
pub(crate) struct Server {
    /// The database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// How long a failing database is tried again before giving up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) give_up_after: u64,
}

#[derive(Args)]
pub(crate) struct Walk {
    #[command(flatten)]
    pub(crate) server: Server,

    /// An encrypted column; may be given several times. Default: those that the schema file declares
    #[arg(long = "column", value_name = "TABLE.COLUMN", conflicts_with = "schema")]
    pub(crate) columns: Vec<Target>,

    /// The schema file with the `table!` declarations. Default: the one that diesel.toml names
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,

    /// Workers side by side; while one of their pages is written, the next is read
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) workers: NonZeroUsize,

    /// Prints one JSON document; what is told on standard error is then JSON, too, an object on each line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Fence {
    /// How long to wait for transactions that are open when everything is about to be read for the proof
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) fence_timeout: u64,
}

/// The options of all jobs.
#[derive(Args)]
pub(crate) struct Rewrite {
    #[command(flatten)]
    pub(crate) walk: Walk,

    /// Rows per batch. Default: what is fastest on the database
    #[arg(long, value_name = "ROWS")]
    pub(crate) batch_size: Option<NonZeroUsize>,

    /// Does everything but write
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Lets triggers fire that the writes set off; without it, tables that have any are refused
    #[arg(long)]
    pub(crate) accept_triggers: bool,

    /// Works alone and without tables of its own
    #[arg(long)]
    pub(crate) stateless: bool,

    /// After so many seconds without a sign of life, other processes take over what one was at
    #[arg(long, value_name = "SECONDS", default_value = "60", hide_short_help = true)]
    pub(crate) lease: NonZeroU64,

    #[command(flatten)]
    pub(crate) fence: Fence,

    /// Keeps this file up to date with metrics for Prometheus
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

#[derive(Args)]
pub(crate) struct Encrypt {
    #[command(flatten)]
    pub(crate) rewrite: Rewrite,

    #[command(flatten)]
    pub(crate) lookalikes: Lookalikes,
}

#[derive(Args)]
pub(crate) struct Decrypt {
    #[command(flatten)]
    pub(crate) rewrite: Rewrite,

    /// Confirms that plaintext is to be written into this column; once for each of the columns, in the same words
    #[arg(long, value_name = "TABLE.COLUMN", required = true)]
    pub(crate) write_plaintext: Vec<Target>,

    #[command(flatten)]
    pub(crate) lookalikes: Lookalikes,
}

#[derive(Args)]
pub(crate) struct Lookalikes {
    /// A column of which what looks like a token, and opens under no key, is plaintext; may be given several times.
    ///
    /// Without it such values are listed and left alone: nobody can tell them from damaged tokens, or from tokens whose
    /// key is missing. With it those would be encrypted once more. Look at all that --dry-run lists first.
    #[arg(long, value_name = "TABLE.COLUMN")]
    pub(crate) token_like_plaintext: Vec<Target>,
}

/// What the task may take of the database.
#[derive(Args)]
#[command(next_help_heading = "Sparing the database")]
pub(crate) struct Limits {
    /// Walks at most so many rows in a second
    #[arg(long, value_name = "N")]
    pub(crate) max_rows_per_second: Option<NonZeroU64>,

    /// Rests after each write for R times as long as it took: 1 halves the load
    #[arg(long, value_name = "R", value_parser = ratio)]
    pub(crate) nice: Option<f64>,

    /// Waits while a replica is further behind than this, or does not tell
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_lag: Option<Duration>,

    /// Waits while a replica has more than this of the log before it (PostgreSQL); K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_lag_bytes: Option<u64>,

    /// A replica to ask for its lag; may be given several times. Default on PostgreSQL: those that are connected.
    ///
    /// Arguments are visible to every user of the machine: a URL with a password belongs into the environment, where
    /// blanks separate several. With no limit of the lag, it is 5 seconds.
    #[arg(long = "replica", value_name = "URL", env = "DB_REPLICA_URLS", hide_env_values = true)]
    pub(crate) replicas: Vec<String>,

    /// Waits while this file exists
    #[arg(long, value_name = "PATH")]
    pub(crate) pause_file: Option<PathBuf>,

    /// Stops after this time, with exit code 6
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_runtime: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct Retire {
    /// The key, as `keys` shows it
    // Text, and not parsed here: clap would repeat it, and it may be a key.
    #[arg(value_name = "FINGERPRINT")]
    pub(crate) key: String,

    #[command(flatten)]
    pub(crate) walk: Walk,

    #[command(flatten)]
    pub(crate) fence: Fence,
}

/// Looks through the catalogue, and samples every text and binary column for tokens. It needs no keys.
#[derive(Args)]
pub(crate) struct Discover {
    #[command(flatten)]
    pub(crate) server: Server,

    /// The schema file with the `table!` declarations. Default: the one that diesel.toml names
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,

    /// Accepts what is found on this column; `TABLE.*` is all of a table. May be given several times
    #[arg(long = "ignore", value_name = "TABLE.COLUMN")]
    pub(crate) ignored: Vec<Target>,

    /// Prints one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Problems {
    #[command(flatten)]
    pub(crate) server: Server,

    /// Prints one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Migration {
    /// The tables through which several processes share a run, for users who may not create tables, and for SQLite
    State(State),
    /// Guards of existing columns, which refuse what is not a token: looks the columns up, and changes nothing
    Guard(Guard),
}

#[derive(Args)]
pub(crate) struct State {
    /// The database whose SQL is to be written. Default: that of --database-url
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<Backend>,

    /// Where its scheme tells the database; nothing connects to it
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// The folder of the migrations. Default: the one that diesel.toml names, else `migrations`
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Guard {
    /// The columns; those of one table are guarded together
    #[arg(value_name = "TABLE.COLUMN", required = true)]
    pub(crate) columns: Vec<Target>,

    /// Two migrations, between which and after which readers and writers go on (PostgreSQL, MariaDB)
    #[arg(long)]
    pub(crate) online: bool,

    /// The database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// The folder of the migrations. Default: the one that diesel.toml names, else `migrations`
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

/// The databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    #[value(alias = "postgresql")]
    Postgres,
    #[value(alias = "mariadb")]
    Mysql,
    Sqlite,
}

impl Command {
    /// Whether everything that it says is JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Keys { json } | Self::Problems(Problems { json, .. }) | Self::Discover(Discover { json, .. }) => {
                *json
            }
            Self::Status(walk)
            | Self::Reencrypt(Rewrite { walk, .. })
            | Self::Encrypt(Encrypt { rewrite: Rewrite { walk, .. }, .. })
            | Self::Decrypt(Decrypt { rewrite: Rewrite { walk, .. }, .. })
            | Self::Retire(Retire { walk, .. }) => walk.json,
            Self::Keygen | Self::Pause(_) | Self::Resume(_) | Self::Stop(_) | Self::Migration(_) => false,
        }
    }
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if (0.0..=1000.0).contains(&ratio) => Ok(ratio),
        _ => Err("a number from 0 to 1000, such as 0.5"),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("a number of seconds, such as 5 or 0.5")
}

/// `256M` is 256 MiB.
fn bytes(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((index, 'K' | 'k')) => (&text[..index], 1 << 10),
        Some((index, 'M' | 'm')) => (&text[..index], 1 << 20),
        Some((index, 'G' | 'g')) => (&text[..index], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or("a number of bytes, such as 268435456 or 256M")
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done and proven (status: every value is under the primary key; retire: the key may be removed;
     problems: none is recorded; discover: nothing was forgotten)
  1  internal error
  2  usage or configuration
  3  walked everything, not proven (status: values under secondary keys remain; retire: the key is
     in use, or may be)
  4  proven except for the listed rows (status: plaintext or unreadable values exist; problems: some
     are recorded; discover: there are findings)
  5  refused: no targets, unknown table or column, no usable row key, a column too short for its
     tokens or tied to others, triggers, wrong keyring, limits that cannot be kept, `decrypt`
     without its confirmation; others are at work with other keys, columns or another job; nobody
     is there to be paused, resumed or stopped; nothing was ever recorded; the key is the primary
     one, or not in the keyring
  6  stopped on request; run it again to go on
  7  gave up (database gone, retries exhausted); run it again to go on";
