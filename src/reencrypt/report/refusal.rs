//! The reasons for which a task, a check or a request is refused.

use std::time::SystemTime;

use crate::keys::Fingerprint;
use crate::reencrypt::report::job::Job;
use crate::targets::TableName;

/// Why a task, a check or a request is refused.
///
/// The text is the [`reason`](Refusal::reason), then the [`remedy`](Refusal::remedy) if there is one. It carries no
/// value of any column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no target.
    NoTargets,
    /// There is no table of this name.
    #[non_exhaustive]
    UnknownTable {
        /// The name.
        table: TableName,
    },
    /// The table has no column of this name.
    #[non_exhaustive]
    UnknownColumn {
        /// The table.
        table: TableName,
        /// The name.
        column: String,
        /// The columns of the table.
        known: Vec<String>,
    },
    /// The task cannot work on this table: it is a view, for instance.
    #[non_exhaustive]
    Table {
        /// The table.
        table: TableName,
        /// What prevents it.
        reason: String,
    },
    /// The task cannot work on this column: it is a number, for instance.
    #[non_exhaustive]
    Column {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What prevents it.
        reason: String,
    },
    /// The writes of the task would set off triggers that you did not accept.
    #[non_exhaustive]
    Triggers {
        /// The table.
        table: TableName,
        /// The triggers.
        triggers: Vec<String>,
        /// How to rewrite the table without them on this database.
        way_out: &'static str,
    },
    /// The table has rules on `UPDATE`.
    #[non_exhaustive]
    Rules {
        /// The table.
        table: TableName,
        /// The rules.
        rules: Vec<String>,
    },
    /// The table has no row key that the task can use.
    #[non_exhaustive]
    NoRowKey {
        /// The table.
        table: TableName,
        /// Why a key of the table is not the row key, if it has one.
        unusable: Option<String>,
    },
    /// The task cannot continue behind a row: its row key is `NULL` or exists twice, or the rows are not in order.
    #[non_exhaustive]
    Row {
        /// The table.
        table: TableName,
        /// The row key.
        row: String,
        /// What prevents it.
        reason: String,
    },
    /// A sample found plaintext in a column that should hold tokens only.
    #[non_exhaustive]
    Plaintext {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// How many of the sampled values are plaintext.
        plaintext: u64,
        /// How many values were sampled.
        values: u64,
    },
    /// A column that is to be encrypted already holds tokens that the keyring opens, and nothing explains them.
    #[non_exhaustive]
    Tokens {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// How many tokens the keyring opens.
        tokens: u64,
        /// The date of the oldest of them.
        oldest: SystemTime,
        /// The date of the newest of them.
        newest: SystemTime,
    },
    /// An earlier run has rotated away from the primary key.
    #[non_exhaustive]
    RetiredPrimary {
        /// The primary key.
        primary: Fingerprint,
        /// The fingerprint of the primary key of that run.
        recorded: String,
    },
    /// The dates of the values show that the primary key is an old one.
    #[non_exhaustive]
    OldPrimary {
        /// The primary key.
        primary: Fingerprint,
        /// The date of the newest sampled value under it.
        newest: SystemTime,
        /// The secondary key that is newer.
        newer: Fingerprint,
        /// The date of the newest sampled value under that key.
        newest_of_newer: SystemTime,
    },
    /// The keyring opens hardly any token.
    #[non_exhaustive]
    WrongKeyring {
        /// What the task was asked to do.
        job: Job,
        /// The table and the column whose tokens were counted; `None` if all columns were counted together.
        column: Option<(TableName, String)>,
        /// How many tokens the keyring opens.
        readable: u64,
        /// How many tokens it does not open.
        unreadable: u64,
    },
    /// Another process works with another keyring. The two would undo each other's work for ever.
    #[non_exhaustive]
    OtherKeys {
        /// The processes that are running.
        processes: Vec<String>,
        /// The job of both.
        job: Job,
        /// The fingerprints of the other keyring, the primary key first.
        theirs: Vec<String>,
        /// The fingerprints of this keyring, the primary key first.
        mine: Vec<String>,
    },
    /// Another process works on other columns.
    #[non_exhaustive]
    OtherTargets {
        /// The processes that are running.
        processes: Vec<String>,
        /// The job of both.
        job: Job,
        /// The columns of the other process, by table.
        theirs: Vec<String>,
        /// The columns of this process, by table.
        mine: Vec<String>,
    },
    /// Another process has another job. The two would undo each other's work for ever.
    #[non_exhaustive]
    OtherJob {
        /// The processes that are running.
        processes: Vec<String>,
        /// Their job.
        theirs: Job,
        /// The job of this process.
        mine: Job,
    },
    /// The column is too short for the tokens of its values.
    #[non_exhaustive]
    TooShort {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type of the column.
        type_name: String,
        /// The length of the longest plaintext, in bytes.
        longest: u64,
        /// The length of its token.
        needed: u64,
    },
    /// The column has a guard, which refuses the plaintext that the job writes.
    #[non_exhaustive]
    Guarded {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// A column that is declared to hold plaintext which looks like tokens is not a target.
    #[non_exhaustive]
    NotATarget {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// A write to the column would change other columns too.
    #[non_exhaustive]
    Tied {
        /// The table.
        table: TableName,
        /// What ties the column to others.
        ties: Vec<String>,
    },
    /// A pooler between the task and the server shares the sessions of the server: PgBouncer in transaction mode, for
    /// example. Settings and locks of the task would belong to others.
    #[non_exhaustive]
    Pooler {
        /// The name of the pooler, if it is known.
        name: Option<String>,
        /// What was seen.
        seen: String,
    },
    /// Another version of this crate has written the tables of the task.
    ForeignRun,
    /// The record of a run names keys of this keyring, but no process with this keyring has written it.
    ForgedRecord,
    /// A table of the task belongs to somebody who could make the task run code, or already does.
    #[non_exhaustive]
    ForeignTable {
        /// The table.
        table: TableName,
        /// What is wrong with it.
        reason: String,
    },
    /// The record of the run has disappeared while the task was running.
    RunGone,
    /// The tables of the task are missing, and the task may not create them.
    #[non_exhaustive]
    NoStateTables {
        /// The error of the database.
        reason: String,
    },
    /// No process is running, so none can be paused, resumed or stopped.
    NothingRunning,
    /// No run was ever recorded.
    NothingRecorded,
    /// The key to remove is the primary key.
    #[non_exhaustive]
    PrimaryKey {
        /// The key.
        key: Fingerprint,
    },
    /// The key to remove is not in the keyring.
    #[non_exhaustive]
    UnknownKey {
        /// The key.
        key: Fingerprint,
        /// The keys of the keyring, the primary key first.
        known: Vec<Fingerprint>,
    },
    /// The connections of the task lead to different servers.
    #[non_exhaustive]
    OtherServer {
        /// What the servers report about themselves.
        seen: String,
    },
    /// The server, or the session, cannot write: it is a standby, for instance.
    #[non_exhaustive]
    ReadOnly {
        /// What was seen.
        seen: String,
    },
    /// A setting of the server makes the writes of the task impossible, and this user may not change it.
    #[non_exhaustive]
    Setting {
        /// The setting, and what to do.
        reason: String,
    },
    /// This user lacks a privilege.
    #[non_exhaustive]
    Denied {
        /// What the database refuses, in its own words.
        seen: String,
    },
    /// A named node is not a member of the cluster.
    #[non_exhaustive]
    NoMember {
        /// The host and the port of the node.
        node: String,
        /// What was seen.
        reason: String,
    },
    /// The URL of a node is malformed.
    #[non_exhaustive]
    NodeUrl {
        /// The number of the node, in the order in which they are named.
        number: usize,
    },
    /// A connection is not encrypted, although its URL asks for TLS.
    #[non_exhaustive]
    NoTls {
        /// Host and port of the server.
        server: String,
    },
    /// The limits of the task cannot be kept on this database.
    #[non_exhaustive]
    Limits {
        /// What is wrong with them.
        reason: String,
    },
}
