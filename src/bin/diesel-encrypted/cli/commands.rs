//! The arguments of the single commands.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use diesel_encrypted::Target;

use super::options::{DatabaseArgs, FenceArgs, LookalikeArgs, ReadArgs, RewriteArgs};
use super::values::moment;
use super::{COLUMNS, DATABASE, OUTPUT};

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
    #[arg(long, value_name = "TABLE.COLUMN", required = true, help_heading = COLUMNS)]
    pub(crate) write_plaintext: Vec<Target>,

    #[command(flatten)]
    pub(crate) lookalikes: LookalikeArgs,

    #[command(flatten)]
    pub(crate) rewrite: RewriteArgs,
}

#[derive(Args)]
pub(crate) struct RetireArgs {
    /// The key to retire, as `diesel-encrypted keys` shows it
    // With the type `Fingerprint`, clap would repeat an invalid text, which may be a key.
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
    #[arg(long, value_name = "PATH", help_heading = COLUMNS)]
    pub(crate) schema: Option<PathBuf>,

    /// Accept all findings on this column, or with `TABLE.*` on a whole table. Repeat for more
    #[arg(long = "ignore", value_name = "TABLE.COLUMN", help_heading = COLUMNS)]
    pub(crate) ignored: Vec<Target>,

    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProblemsArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
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
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", help_heading = DATABASE)]
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
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", help_heading = DATABASE)]
    pub(crate) database_url: Option<String>,

    /// Write to this folder. Default: the migrations folder that diesel.toml names, or else `migrations`
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell. Put the script where this shell looks for completions
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArgs {
    /// Write a page for the program and one for each command to this folder, instead of printing the first
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
