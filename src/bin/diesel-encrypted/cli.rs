//! The arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
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
    Reencrypt(Reencrypt),
}

#[derive(Args)]
pub(crate) struct Walk {
    /// The database: postgres://…, mysql://…, or the path of an SQLite file
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,

    /// An encrypted column; may be given several times. Default: those that the schema file declares
    #[arg(long = "column", value_name = "TABLE.COLUMN", conflicts_with = "schema")]
    pub(crate) columns: Vec<Target>,

    /// The schema file with the `table!` declarations. Default: the one that diesel.toml names
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,

    /// Threads, each with a connection of its own
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) workers: NonZeroUsize,

    /// How long a failing database is tried again before giving up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) give_up_after: u64,

    /// Prints one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Reencrypt {
    #[command(flatten)]
    pub(crate) walk: Walk,

    /// Rows per batch. Default: what is fastest on the database
    #[arg(long, value_name = "ROWS")]
    pub(crate) batch_size: Option<NonZeroUsize>,

    /// After so many seconds without a sign of life, other processes take over what one was at
    #[arg(long, value_name = "SECONDS", default_value_t = 60, hide_short_help = true)]
    pub(crate) lease: u64,

    /// Does everything but write
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Lets triggers fire that the writes set off; without it, tables that have any are refused
    #[arg(long)]
    pub(crate) accept_triggers: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done and proven (status: every value is under the primary key)
  1  internal error
  2  usage or configuration
  3  walked everything, not proven (status: values under secondary keys remain)
  4  proven except for the listed rows (status: plaintext or unreadable values exist)
  5  refused: no targets, unknown table or column, no usable row key, triggers, wrong keyring
  6  stopped on request; run it again to go on
  7  gave up (database gone, retries exhausted); run it again to go on";
