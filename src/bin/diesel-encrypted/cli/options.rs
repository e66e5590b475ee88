//! The options that several commands share.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use diesel_encrypted::Target;

use super::values::{bytes, ratio, rule, seconds};
use super::{COLUMNS, DATABASE, LOAD, OUTPUT, PROOF};

#[derive(Args)]
pub(crate) struct DatabaseArgs {
    /// Connect to this database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", help_heading = DATABASE)]
    pub(crate) database_url: Option<String>,

    /// Give up when the database has failed for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = DATABASE)]
    pub(crate) give_up_after: u64,
}

/// The options of all commands that read the encrypted columns.
#[derive(Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Select a column. Repeat for more. Default: all columns that the schema file declares as encrypted
    #[arg(long = "column", value_name = "TABLE.COLUMN", conflicts_with = "schema", help_heading = COLUMNS)]
    pub(crate) columns: Vec<Target>,

    /// Read the `table!` declarations from this file. Default: the file that diesel.toml names
    #[arg(long, value_name = "PATH", help_heading = COLUMNS)]
    pub(crate) schema: Option<PathBuf>,

    /// Run this many workers in parallel. Each reads its next batch while it writes the current one
    #[arg(long, value_name = "N", default_value = "1", help_heading = LOAD)]
    pub(crate) workers: NonZeroUsize,

    #[command(flatten)]
    pub(crate) rules: RuleArgs,

    /// Print one JSON document. Messages on standard error are then JSON too, one object per line
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RuleArgs {
    /// Accept the plaintext of a column in the rows that meet a condition, and count it apart. Repeat for more
    ///
    /// The condition is SQL on the columns of the same row: 'connection.password: NOT is_encrypted'. It becomes a part of
    /// statements unchanged, so never build it from the input of others. Plaintext in such rows is not encrypted. Tokens
    /// are treated as everywhere else.
    #[arg(long, value_name = "TABLE.COLUMN: CONDITION", value_parser = rule, help_heading = COLUMNS)]
    pub(crate) plaintext_where: Vec<(Target, String)>,
}

#[derive(Args)]
pub(crate) struct FenceArgs {
    /// Before the proof, wait at most this long for open transactions to end
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = PROOF)]
    pub(crate) fence_timeout: u64,

    /// Name a node of the cluster (Galera, group replication). Repeat for each node. The proof needs all of them
    ///
    /// Every user of the machine can read command-line arguments. Put URLs with passwords in the environment variable,
    /// separated by spaces.
    #[arg(long = "node", value_name = "URL", env = "DB_NODE_URLS", hide_env_values = true, help_heading = PROOF)]
    pub(crate) nodes: Vec<String>,
}

/// The options of all jobs.
#[derive(Args)]
pub(crate) struct RewriteArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Write this many rows per batch. Default: the fastest size for the database
    #[arg(long, value_name = "ROWS", help_heading = LOAD)]
    pub(crate) batch_size: Option<NonZeroUsize>,

    /// Read everything and count what would be rewritten, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Allow UPDATE triggers to fire. By default, tables that have any are refused
    #[arg(long, help_heading = COLUMNS)]
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
    #[arg(long, value_name = "PATH", help_heading = OUTPUT)]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Args)]
pub(crate) struct LookalikeArgs {
    /// Treat values of this column as plaintext if they look like tokens but no key opens them. Repeat for more
    ///
    /// By default, such values are listed and left unchanged, because they may also be damaged tokens or tokens whose
    /// key is missing. With this option, `encrypt` would encrypt such tokens once more. First check every value that
    /// --dry-run lists.
    #[arg(long, value_name = "TABLE.COLUMN", help_heading = COLUMNS)]
    pub(crate) token_like_plaintext: Vec<Target>,
}

#[derive(Args)]
pub(crate) struct LimitArgs {
    /// Read at most this many rows per second
    #[arg(long, value_name = "N", help_heading = LOAD)]
    pub(crate) max_rows_per_second: Option<NonZeroU64>,

    /// After each write, pause R times as long as the write took. R = 1 halves the load
    #[arg(long, value_name = "R", value_parser = ratio, help_heading = LOAD)]
    pub(crate) nice: Option<f64>,

    /// Pause while a replica lags behind by more than this, or while its lag is unknown
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LOAD)]
    pub(crate) max_lag: Option<Duration>,

    /// Pause while a replica has more than this much log left to replay (PostgreSQL). Accepts K, M and G
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = LOAD)]
    pub(crate) max_lag_bytes: Option<u64>,

    /// Check the lag of this replica. Repeat for more. Default on PostgreSQL: all connected replicas.
    ///
    /// Every user of the machine can read command-line arguments. Put URLs with passwords in the environment variable,
    /// separated by spaces. If you set neither --max-lag nor --max-lag-bytes, the limit is 5 seconds.
    #[arg(long = "replica", value_name = "URL", env = "DB_REPLICA_URLS", hide_env_values = true, help_heading = LOAD)]
    pub(crate) replicas: Vec<String>,

    /// Pause while this file exists
    #[arg(long, value_name = "PATH", help_heading = LOAD)]
    pub(crate) pause_file: Option<PathBuf>,

    /// Stop after this time, with exit code 6
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LOAD)]
    pub(crate) max_runtime: Option<Duration>,
}
