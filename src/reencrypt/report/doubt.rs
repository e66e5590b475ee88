//! Why a task that read everything has proven nothing.

use std::fmt::{self, Write};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::tally::Tally;
use crate::reencrypt::report::time;
use crate::targets::Escaping;

/// Why a task that read everything has not proven that its job is done. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Doubt {
    /// This many values are still under secondary keys.
    Left(u64),
    /// This many values are still plaintext.
    LeftPlaintext(u64),
    /// This many values are still tokens.
    LeftTokens(u64),
    /// A token under a secondary key has this date, which is after the task began.
    OldPrimary(#[serde(with = "time::seconds")] SystemTime),
    /// A token that should have become plaintext has this date, which is after the task began.
    StillEncrypting(#[serde(with = "time::seconds")] SystemTime),
    /// These transactions, which began before everything was read, are still open. They may have written values that the
    /// task could not see.
    Open(Vec<String>),
    /// This table was replaced or changed while the task ran.
    Changed(String),
    /// The walk over this table did not find as many rows as the table has.
    #[non_exhaustive]
    Miscounted {
        /// The table.
        table: String,
        /// The rows that the database counted.
        counted: u64,
        /// The rows that the task read.
        read: u64,
    },
    /// The database does not report which transactions are open, for this reason.
    Blind(String),
    /// Only so many nodes of the cluster were seen, of so many. [`Task::nodes`](crate::reencrypt::Task::nodes) names them.
    Nodes(usize, usize),
    /// A node of the cluster cannot answer for what it holds: the node and the reason.
    Node(String, String),
    /// The server is not the primary, as was seen. Transactions of other servers may reach it later.
    NotPrimary(String),
    /// The server is a product whose list of open transactions is not known to be complete.
    Stranger(String),
    /// While everything was read, this happened to the servers.
    Unsettled(String),
}

impl Doubt {
    /// Why the job is not done, if values are left to write.
    pub(crate) fn left(job: Job, tallies: &[Tally]) -> Option<Self> {
        let sum = |count: &dyn Fn(&Tally) -> u64| tallies.iter().map(count).sum();
        match (job, sum(&|tally| tally.left(job)), sum(&|tally| tally.plaintext)) {
            (_, 0, _) => None,
            (Job::Encrypt, _, plaintext @ 1..) => Some(Self::LeftPlaintext(plaintext)),
            (Job::Reencrypt | Job::Encrypt, left, _) => Some(Self::Left(left)),
            (Job::Decrypt, left, _) => Some(Self::LeftTokens(left)),
        }
    }

    /// Some program wrote a token of this date, in seconds since 1970, after the task began. The token has to be
    /// rewritten.
    pub(crate) fn written_later(job: Job, date: u64) -> Self {
        let date = time::of_seconds(date);
        match job {
            Job::Reencrypt | Job::Encrypt => Self::OldPrimary(date),
            Job::Decrypt => Self::StillEncrypting(date),
        }
    }

    /// Whether another pass can help.
    pub(crate) fn is_left(&self) -> bool {
        matches!(self, Self::Left(_) | Self::LeftPlaintext(_) | Self::LeftTokens(_))
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            Self::Left(values) => write!(
                f,
                "{values} values are left under secondary keys: their rows stay locked, or the database refuses to \
                 change them. See the list of problems, end the transactions that lock the rows, and run the task again"
            ),
            Self::LeftPlaintext(values) => write!(
                f,
                "{values} values are still plaintext: some program writes plaintext, rows stay locked, or the database \
                 refuses to change them. Deploy the model that writes tokens to every process of the application. See \
                 the list of problems, end the transactions that lock the rows, and run the task again"
            ),
            Self::LeftTokens(values) => write!(
                f,
                "{values} values are still tokens: some program writes tokens, rows stay locked, or the database (a \
                 guard, for example) refuses to change them. Deploy the model that writes plaintext to every process \
                 of the application. See the list of problems, end the transactions that lock the rows, and run the \
                 task again"
            ),
            Self::StillEncrypting(date) => write!(
                f,
                "some program wrote a token after the task began: one is dated {}. Deploy the model that writes \
                 plaintext to every process of the application, then run the task again",
                time::text(*date)
            ),
            Self::OldPrimary(date) => write!(
                f,
                "some program wrote with an old primary key after the task began: a token under a secondary key is \
                 dated {}. Deploy the new keyring to every process of the application, then run the task again",
                time::text(*date)
            ),
            Self::Open(transactions) => write!(
                f,
                "transactions that began before everything was read are still open and may have written under an old \
                 key: {}. End them, or wait for them, and run the task again",
                transactions.join("; ")
            ),
            Self::Nodes(seen, all) => write!(
                f,
                "{seen} of the {all} nodes of the cluster were seen, and transactions that are open on the others may \
                 have written under an old key. Name every node to the task, and run it again"
            ),
            Self::Node(node, reason) => write!(
                f,
                "the node {node} cannot answer for what the cluster holds: {reason}. Transactions that nobody sees may \
                 have written under an old key. Wait until all nodes are in sync, and run the task again"
            ),
            Self::NotPrimary(seen) => write!(
                f,
                "this server does not show every transaction that can still write here: {seen}. Run the task on the \
                 primary"
            ),
            Self::Stranger(product) => write!(
                f,
                "the server is {product}, which is not known to show every open transaction, and they may have written \
                 under an old key"
            ),
            Self::Unsettled(what) => write!(
                f,
                "{what} while everything was read, so that transactions may have been missed. Run the task again"
            ),
            Self::Changed(table) => write!(
                f,
                "the table {table} is not as it was when the task began: another table has its name now, or its row \
                 key, its columns or its inheritance have changed. Run the task again when the change of the schema is \
                 complete"
            ),
            Self::Miscounted { table, counted, read } => write!(
                f,
                "the table {table} has {counted} rows, and the task read {read} of them in the order of the row key. \
                 The index of the row key may be damaged, or its operators or its collation do not sort as they \
                 compare. Check the index (REINDEX, CHECK TABLE, PRAGMA integrity_check), and run the task again"
            ),
            Self::Blind(reason) => write!(
                f,
                "the database does not report whether older transactions are still open ({reason}), and they may have \
                 written under an old key. If a privilege is missing, grant it (MariaDB and MySQL: PROCESS), and run \
                 the task again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever begins a transaction names it.
    #[test]
    fn names_of_transactions_are_escaped() {
        let doubt = Doubt::Open(vec!["the prepared transaction x\u{1b}[2J\nproven\u{202e}".into()]).to_string();
        assert!(doubt.contains(r"x\u{1b}[2J\nproven\u{202e}"), "{doubt}");
        assert!(!doubt.contains(['\u{1b}', '\n', '\u{202e}']), "{doubt}");
    }
}
