//! The command line.

mod commands;
mod options;
mod values;

use std::io::IsTerminal;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use commands::{
    Backend, CompletionsArgs, DecryptArgs, DiscoverArgs, EncryptArgs, GuardArgs, ManArgs, Migration, ProblemsArgs,
    RetireArgs, StateArgs,
};
pub(crate) use options::{DatabaseArgs, FenceArgs, LimitArgs, LookalikeArgs, ReadArgs, RewriteArgs};

/// Encrypt, re-encrypt and decrypt the values of database columns, and manage the keys.
///
/// Keys come from the environment variable DB_ENCRYPTION_KEYS or PINAKES_DB_ENCRYPTION_KEYS, from the file that
/// DB_ENCRYPTION_KEYS_FILE names, or from the folder that DB_ENCRYPTION_KEYS_FOLDER names. Separate keys with `:`, the
/// primary key first. You can also set environment variables in a file .env. A variable that is set to nothing is not
/// set.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Use colors on a terminal
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = OUTPUT)]
    pub(crate) color: When,

    /// Print the result, warnings and errors only: no progress, no estimate, no summary
    #[arg(long, short, global = true, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If the output is a terminal and NO_COLOR is not set
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a new key, and nothing else
    #[command(visible_alias = "generate_encryption_key")]
    Keygen,
    /// List the keys of the keyring: position, role, fingerprint
    Keys {
        /// Print one JSON document
        #[arg(long, help_heading = OUTPUT)]
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
    /// Print a script that completes the commands and options in a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
}

impl When {
    /// Whether to use colors on this stream.
    pub(crate) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        let is_wanted = || std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match self {
            Self::Auto => stream.is_terminal() && is_wanted(),
            Self::Always => true,
            Self::Never => false,
        }
    }
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
            Self::Keygen
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Stop(_)
            | Self::Migration(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }

    /// Whether the command uses no settings, so that none can be wrong.
    pub(crate) fn needs_no_settings(&self) -> bool {
        matches!(self, Self::Keygen | Self::Completions(_) | Self::Man(_))
    }
}

/// The headings under which `--help` lists the options.
const COLUMNS: &str = "Columns";
const DATABASE: &str = "Database";
const PROOF: &str = "Proof";
const LOAD: &str = "Limiting the load";
const OUTPUT: &str = "Output";

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
