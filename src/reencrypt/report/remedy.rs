//! What can be done about a refusal.

use std::fmt::{self, Write};

use crate::keys::Fingerprint;
use crate::targets::{Escaping, TableName};

/// What you can do about a [`Refusal`](crate::reencrypt::Refusal), in addition to its
/// [`reason`](crate::reencrypt::Refusal::reason).
///
/// The text names the items of this library. A program with flags or commands of its own matches on the action and names
/// those instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Let the triggers of the tables fire: [`Task::accept_triggers`](crate::reencrypt::Task::accept_triggers).
    AcceptTriggers,
    /// Accept the tokens that the application or an earlier run has written:
    /// [`Task::accept_tokens_since`](crate::reencrypt::Task::accept_tokens_since) or
    /// [`Task::accept_tokens`](crate::reencrypt::Task::accept_tokens).
    AcceptTokens,
    /// Make this column a target: [`Task::target`](crate::reencrypt::Task::target).
    #[non_exhaustive]
    AddTarget {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// Declare that this column may hold plaintext:
    /// [`StartupCheck::adopting`](crate::startup::StartupCheck::adopting).
    #[non_exhaustive]
    Adopt {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// Return to this key by running a [`Task`](crate::reencrypt::Task) that has it as the primary key.
    ReturnTo(Fingerprint),
    /// If this key is the new one, finish the stateless task that stopped half-way. Or raise
    /// [`StartupCheck::deployment`](crate::startup::StartupCheck::deployment).
    FinishRun(Fingerprint),
    /// Declare that tokens which no key opens are plaintext:
    /// [`Task::token_like_plaintext`](crate::reencrypt::Task::token_like_plaintext).
    TokenLikePlaintext,
    /// End the other processes: [`Control::stop`](crate::reencrypt::Control::stop).
    StopOthers,
    /// Give the task a pool whose connections lead to the server itself, or to a pooler in session mode.
    ConnectDirectly,
    /// Create the tables of the task: [`state_tables`](crate::reencrypt::state_tables). Or work without them:
    /// [`Task::stateless`](crate::reencrypt::Task::stateless).
    CreateStateTables,
    /// Reach a stateless task through its [`StopHandle`](crate::reencrypt::StopHandle).
    StopHandle,
    /// Create the tables of the task, so that it records problems, and run it again:
    /// [`state_tables`](crate::reencrypt::state_tables).
    RecordProblems,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            Self::AcceptTriggers => f.write_str("To let them fire, call Task::accept_triggers"),
            Self::AcceptTokens => f.write_str(
                "If the application or an interrupted run did, call Task::accept_tokens_since with the time before it \
                 began, or Task::accept_tokens",
            ),
            Self::AddTarget { table, column } => {
                write!(f, "Add {table}.{column} with Task::target, spelled the same way")
            }
            Self::Adopt { table, column } => write!(
                f,
                "If the column is being encrypted, read it as Adopting, and name {table}.{column} with \
                 StartupCheck::adopting until a task with Job::Encrypt has proven that no plaintext is left. \
                 Otherwise, some program writes plaintext: Task::status counts such values"
            ),
            Self::ReturnTo(key) => write!(f, "To return to {key} on purpose, first run a Task with this keyring"),
            Self::FinishRun(key) => write!(
                f,
                "If {key} is the new key, a stateless task (Task::stateless) has stopped half-way: run it again to \
                 finish it, or raise StartupCheck::deployment"
            ),
            Self::TokenLikePlaintext => f.write_str(
                "If it is plaintext that looks like a token, name its column with Task::token_like_plaintext",
            ),
            Self::StopOthers => f.write_str("To end it, call Control::stop"),
            Self::ConnectDirectly => f.write_str(
                "Give the task a Pool of its own, with the URL of the server itself, or of a pooler in session mode",
            ),
            Self::CreateStateTables => f.write_str(
                "Create them in a migration (reencrypt::state_tables), or work from one process with Task::stateless",
            ),
            Self::StopHandle => {
                f.write_str("A stateless task, which is the default on SQLite, obeys only its StopHandle")
            }
            Self::RecordProblems => f.write_str(
                "A stateless task, which is the default on SQLite, lists problems only in its Report. To have them \
                 recorded, create the tables (reencrypt::state_tables) and run the task again",
            ),
        }
    }
}
