//! The command line.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand, ValueEnum};
use diesel_encrypted::Target;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Encrypt, re-encrypt and decrypt the values of database columns, and manage the keys.
///
/// Keys come from the environment variable DB_ENCRYPTION_KEYS or PINAKES_DB_ENCRYPTION_KEYS, or from the file that
/// DB_ENCRYPTION_KEYS_FILE names. Separate keys with `:`, the primary key first. You can also set environment variables
/// in a file .env.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a new key, and nothing else
    #[command(visible_alias = "generate_encryption_key")]
    Keygen,
    /// List the keys of the keyring: position, role, fingerprint
    Keys {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Count the values under each key, column by column (read-only)
    Status(ReadArgs),
    /// Rewrite every value under the primary key, and prove that none is left under another key
    #[command(visible_alias = "reencrypt_database")]
    Reencrypt(RewriteArgs),
    /// Encrypt plaintext under the primary key while the application runs, and prove that none is left
    Encrypt(EncryptArgs),
    /// Decrypt tokens to plaintext while the application runs, and prove that no token is left
    Decrypt(DecryptArgs),
    /// Prove that no value is under a key, so that you can remove it from the keyring (read-only)
    Retire(RetireArgs),
    /// Compare the database with the encrypted columns that the schema file declares (read-only)
    ///
    /// The command reads the catalogue and samples every text and binary column for tokens. It needs no keys.
    Discover(DiscoverArgs),
    /// List the recorded problems: values that a run could not change
    Problems(ProblemsArgs),
    /// Pause all running processes
    Pause(DatabaseArgs),
    /// Resume all paused processes
    Resume(DatabaseArgs),
    /// Stop all running processes, each after its current batch
    Stop(DatabaseArgs),
    /// Write Diesel migrations
    #[command(subcommand)]
    Migration(Migration),
}

#[derive(Args)]
pub(crate) struct DatabaseArgs {
    /// Connect to this database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Give up when the database has failed for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) give_up_after: u64,
}

/// The options of all commands that read the encrypted columns.
#[derive(Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Select a column. Repeat for more. Default: all columns that the schema file declares as encrypted
    #[arg(long = "column", value_name = "TABLE.COLUMN", conflicts_with = "schema")]
    pub(crate) columns: Vec<Target>,

    /// Read the `table!` declarations from this file. Default: the file that diesel.toml names
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,

    /// Run this many workers in parallel. Each reads its next batch while it writes the current one
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) workers: NonZeroUsize,

    #[command(flatten)]
    pub(crate) rules: RuleArgs,

    /// Print one JSON document. Messages on standard error are then JSON too, one object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct FenceArgs {
    /// Before the proof, wait at most this long for open transactions to end
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) fence_timeout: u64,

    /// Name a node of the cluster (Galera, group replication). Repeat for each node. The proof needs all of them
    ///
    /// Every user of the machine can read command-line arguments. Put URLs with passwords in the environment variable,
    /// separated by spaces.
    #[arg(long = "node", value_name = "URL", env = "DB_NODE_URLS", hide_env_values = true)]
    pub(crate) nodes: Vec<String>,
}

/// The options of all jobs.
#[derive(Args)]
pub(crate) struct RewriteArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Write this many rows per batch. Default: the fastest size for the database
    #[arg(long, value_name = "ROWS")]
    pub(crate) batch_size: Option<NonZeroUsize>,

    /// Read everything and count what would be rewritten, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Allow UPDATE triggers to fire. By default, tables that have any are refused
    #[arg(long)]
    pub(crate) accept_triggers: bool,

    /// Run as a single process, without the tables through which processes share a run
    #[arg(long)]
    pub(crate) stateless: bool,

    /// Let other processes take over when this process has sent no heartbeat for this long
    #[arg(long, value_name = "SECONDS", default_value = "60", hide_short_help = true)]
    pub(crate) lease: NonZeroU64,

    #[command(flatten)]
    pub(crate) fence: FenceArgs,

    /// Write metrics for Prometheus to this file, every ten seconds
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

// The options of a single job come first. After the limits, they would appear under the heading of the limits.
#[derive(Args)]
pub(crate) struct EncryptArgs {
    /// Accept the tokens that the columns hold already, whoever wrote them
    ///
    /// By default, `encrypt` refuses a column with tokens that a key opens, unless a recorded run of `encrypt` or
    /// `reencrypt` explains them: a user of the application may have stored a token of another column there, and would
    /// read its plaintext.
    #[arg(long, conflicts_with = "accept_tokens_since")]
    pub(crate) accept_tokens: bool,

    /// Accept the tokens that the columns hold already, if they are dated at this time or later
    ///
    /// Name a time when every process of the application read tokens there, but none wrote them yet:
    /// 2026-11-26T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) accept_tokens_since: Option<SystemTime>,

    #[command(flatten)]
    pub(crate) lookalikes: LookalikeArgs,

    #[command(flatten)]
    pub(crate) rewrite: RewriteArgs,
}

#[derive(Args)]
pub(crate) struct DecryptArgs {
    /// Confirm that `decrypt` may write plaintext to this column. Required for every selected column, spelled the same way
    #[arg(long, value_name = "TABLE.COLUMN", required = true)]
    pub(crate) write_plaintext: Vec<Target>,

    #[command(flatten)]
    pub(crate) lookalikes: LookalikeArgs,

    #[command(flatten)]
    pub(crate) rewrite: RewriteArgs,
}

#[derive(Args)]
pub(crate) struct RuleArgs {
    /// Accept the plaintext of a column in the rows that meet a condition, and count it apart. Repeat for more
    ///
    /// The condition is SQL on the columns of the same row: 'connection.password: NOT is_encrypted'. It becomes a part of
    /// statements unchanged, so never build it from the input of others. Plaintext in such rows is not encrypted. Tokens
    /// are treated as everywhere else.
    #[arg(long, value_name = "TABLE.COLUMN: CONDITION", value_parser = rule)]
    pub(crate) plaintext_where: Vec<(Target, String)>,
}

#[derive(Args)]
pub(crate) struct LookalikeArgs {
    /// Treat values of this column as plaintext if they look like tokens but no key opens them. Repeat for more
    ///
    /// By default, such values are listed and left unchanged, because they may also be damaged tokens or tokens whose
    /// key is missing. With this option, `encrypt` would encrypt such tokens once more. First check every value that
    /// --dry-run lists.
    #[arg(long, value_name = "TABLE.COLUMN")]
    pub(crate) token_like_plaintext: Vec<Target>,
}

#[derive(Args)]
#[command(next_help_heading = "Limiting the load")]
pub(crate) struct LimitArgs {
    /// Read at most this many rows per second
    #[arg(long, value_name = "N")]
    pub(crate) max_rows_per_second: Option<NonZeroU64>,

    /// After each write, pause R times as long as the write took. R = 1 halves the load
    #[arg(long, value_name = "R", value_parser = ratio)]
    pub(crate) nice: Option<f64>,

    /// Pause while a replica lags behind by more than this, or while its lag is unknown
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_lag: Option<Duration>,

    /// Pause while a replica has more than this much log left to replay (PostgreSQL). Accepts K, M and G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_lag_bytes: Option<u64>,

    /// Check the lag of this replica. Repeat for more. Default on PostgreSQL: all connected replicas.
    ///
    /// Every user of the machine can read command-line arguments. Put URLs with passwords in the environment variable,
    /// separated by spaces. If you set neither --max-lag nor --max-lag-bytes, the limit is 5 seconds.
    #[arg(long = "replica", value_name = "URL", env = "DB_REPLICA_URLS", hide_env_values = true)]
    pub(crate) replicas: Vec<String>,

    /// Pause while this file exists
    #[arg(long, value_name = "PATH")]
    pub(crate) pause_file: Option<PathBuf>,

    /// Stop after this time, with exit code 6
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_runtime: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct RetireArgs {
    /// The key to retire, as `diesel-encrypted keys` shows it With the type `Fingerprint`, clap would repeat an invalid
    /// text, which may be a key.
    #[arg(value_name = "FINGERPRINT")]
    pub(crate) key: String,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) fence: FenceArgs,
}

#[derive(Args)]
pub(crate) struct DiscoverArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Read the `table!` declarations from this file. Default: the file that diesel.toml names
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,

    /// Accept all findings on this column, or with `TABLE.*` on a whole table. Repeat for more
    #[arg(long = "ignore", value_name = "TABLE.COLUMN")]
    pub(crate) ignored: Vec<Target>,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProblemsArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Migration {
    /// Write a migration that creates the tables through which processes share a run
    ///
    /// Processes create these tables themselves, except on SQLite and where their user may not create tables.
    State(StateArgs),
    /// Write migrations that make the database refuse values that are not tokens
    ///
    /// The command reads the columns and changes nothing in the database. The migrations add the guards.
    Guard(GuardArgs),
}

#[derive(Args)]
pub(crate) struct StateArgs {
    /// Write SQL for this database. Default: the database of --database-url
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<Backend>,

    /// Use the database that the scheme of this URL names, without connecting to it
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Write to this folder. Default: the migrations folder that diesel.toml names, or else `migrations`
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct GuardArgs {
    /// The columns to guard. Columns of the same table share a migration
    #[arg(value_name = "TABLE.COLUMN", required = true)]
    pub(crate) columns: Vec<Target>,

    /// Write two migrations that you can run while the application reads and writes (MariaDB). The default on PostgreSQL
    #[arg(long)]
    pub(crate) online: bool,

    /// Change the type of the columns to a domain (PostgreSQL). Restart every instance of the application right
    /// afterwards: its prepared statements fail until it closes their connections
    #[arg(long, conflicts_with = "online")]
    pub(crate) domain: bool,

    /// Connect to this database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// Write to this folder. Default: the migrations folder that diesel.toml names, or else `migrations`
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

/// The databases that the program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    #[value(alias = "postgresql")]
    Postgres,
    #[value(alias = "mariadb")]
    Mysql,
    Sqlite,
}

impl Command {
    /// Whether to print all output as JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Keys { json }
            | Self::Problems(ProblemsArgs { json, .. })
            | Self::Discover(DiscoverArgs { json, .. }) => *json,
            Self::Status(read)
            | Self::Reencrypt(RewriteArgs { read, .. })
            | Self::Encrypt(EncryptArgs { rewrite: RewriteArgs { read, .. }, .. })
            | Self::Decrypt(DecryptArgs { rewrite: RewriteArgs { read, .. }, .. })
            | Self::Retire(RetireArgs { read, .. }) => read.json,
            Self::Keygen | Self::Pause(_) | Self::Resume(_) | Self::Stop(_) | Self::Migration(_) => false,
        }
    }
}

fn moment(text: &str) -> Result<SystemTime, &'static str> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).map(SystemTime::from);
    moment.map_err(|_| "expected a time with its offset, such as 2026-11-26T10:00:00Z")
}

/// Reads `TABLE.COLUMN: CONDITION`. A name with a colon is in double quotes.
fn rule(text: &str) -> Result<(Target, String), String> {
    let mut is_quoted = false;
    let colon = text.char_indices().find(|(_, character)| {
        is_quoted ^= *character == '"';
        *character == ':' && !is_quoted
    });
    let Some((colon, _)) = colon else {
        return Err("expected a column and a condition, such as 'connection.password: NOT is_encrypted'".into());
    };
    let target = text[..colon].trim().parse::<Target>().map_err(|error| error.to_string())?;
    Ok((target, text[colon + 1..].trim().to_owned()))
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if (0.0..=1000.0).contains(&ratio) => Ok(ratio),
        _ => Err("expected a number from 0 to 1000, such as 0.5"),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("expected a number of seconds, such as 5 or 0.5")
}

/// Reads a number of bytes, in which `256M` is 256 MiB.
fn bytes(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((index, 'K' | 'k')) => (&text[..index], 1 << 10),
        Some((index, 'M' | 'm')) => (&text[..index], 1 << 20),
        Some((index, 'G' | 'g')) => (&text[..index], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or("expected a number of bytes, such as 268435456 or 256M")
}

const EXIT_CODES: &str = "\
Exit codes:
  0  Success: the job is done and proven.
       status:    every value is under the primary key
       retire:    you can remove the key from the keyring
       problems:  no problem is recorded
       discover:  the database and the schema file agree
  1  Internal error.
  2  Wrong usage or configuration.
  3  Everything was read, but the job is not proven to be done.
       status:    values under secondary keys remain, or the server is not the primary
       retire:    the key is in use, or may be
  4  The job is proven to be done, except for the listed rows.
       status:    there are plaintext or unreadable values
       problems:  there are recorded problems
       discover:  there are findings
  5  Refused, for one of these reasons:
       - No column is selected, a table or column is unknown, or there is no usable row key.
       - A column is too short for its tokens, or tied to a generated column or foreign key.
       - There are UPDATE triggers, the keyring is wrong, or limits cannot be kept.
       - The server is read-only, connections lead to different servers, or a node is in another cluster.
       - `decrypt` is not confirmed with --write-plaintext for every column.
       - `encrypt` finds tokens that nothing explains.
       - The URL asks for TLS, and the connection has none.
       - Other processes run with other keys, other columns or another job.
       - pause, resume, stop: no process is running.
       - problems: nothing was ever recorded.
       - retire: the key is the primary key, or not in the keyring.
  6  Stopped on request. Run the command again to continue.
  7  Gave up, because the database kept failing. Run the command again to continue.";
