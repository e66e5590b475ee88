//! What to do about an error or a pause, with the command to type.

use diesel_encrypted::reencrypt::{Doubt, Progress, Remedy, TaskError};
use diesel_encrypted::{KeyringError, printable};

/// Explains an error of the library with the commands and options of this program.
pub(crate) fn explain(error: &TaskError) -> String {
    let Some(refusal) = error.refusal() else { return error.to_string() };
    match refusal.remedy() {
        Some(remedy) => format!("{}. {}", refusal.reason(), command(&remedy)),
        None => refusal.to_string(),
    }
}

/// What to do about a proof that is missing.
pub(crate) fn after_doubt(doubt: &Doubt) -> Option<&'static str> {
    match doubt {
        Doubt::Nodes(..) => Some("To name the nodes, repeat --node with the URL of each, or set DB_NODE_URLS."),
        _ => None,
    }
}

/// Explains an error of the keyring. If a key is missing, it names the command that generates one.
pub(crate) fn explain_keyring(error: &KeyringError) -> String {
    if error.needs_key() { format!("{error}. `diesel-encrypted keygen` generates a key") } else { error.to_string() }
}

/// Why the task waits, if it does.
pub(crate) fn waits_for(progress: &Progress) -> Option<&str> {
    if progress.is_paused() {
        Some("paused: run `diesel-encrypted resume` to continue")
    } else {
        progress.waits_for.as_deref()
    }
}

fn command(remedy: &Remedy) -> String {
    match remedy {
        Remedy::AcceptTriggers => "To let them fire, add --accept-triggers".into(),
        Remedy::AcceptTokens => {
            "If the application or an interrupted run did, add --accept-tokens-since with the time \
             before it began, or --accept-tokens"
                .into()
        }
        Remedy::AddTarget { table, column, .. } => {
            let column = argument(&format!("{table}.{column}"));
            format!("Select it too (--column {column}, or the schema file), spelled the same way")
        }
        Remedy::TokenLikePlaintext => {
            "If these values are plaintext that looks like tokens, name the column with --token-like-plaintext".into()
        }
        Remedy::StopOthers => "To end it, run `diesel-encrypted stop`".into(),
        Remedy::ConnectDirectly => {
            "Let DATABASE_URL name the server itself, or a pooler in session mode, and run the command again".into()
        }
        Remedy::CreateStateTables => "Run `diesel-encrypted migration state` and the migration that it writes. Or add \
             --stateless to work with a single process"
            .into(),
        Remedy::StopHandle => {
            "A process without these tables (--stateless, or by default on SQLite) obeys only signals: \
             SIGTERM stops it after its current batch"
                .into()
        }
        Remedy::RecordProblems => {
            "A task without tables (--stateless, or by default on SQLite) lists problems only in its \
             report. To record them, run `diesel-encrypted migration state`, then the migration \
             that it writes, and then the task again"
                .into()
        }
        // The other remedies belong to the check at the start of an application, which this program does not run.
        others => others.to_string(),
    }
}

/// A text as one argument of a shell: others choose the names in a database, and a user may copy the command.
pub(crate) fn argument(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "_.-".contains(character);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        printable(&format!("'{}'", text.replace('\'', r"'\''"))).to_string()
    }
}
