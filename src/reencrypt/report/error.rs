//! Why a task did not run to its end.

use std::fmt;

use crate::database::failure::Failure;
use crate::database::moment::date;
use crate::keys::key::Fingerprint;
use crate::reencrypt::report::job::Job;
use crate::reencrypt::report::outcome::Report;
use crate::targets::TableName;

/// Why a task did not run to its end. It carries no value of any column.
#[derive(Debug)]
pub struct TaskError {
    kind: Kind,
    report: Option<Box<Report>>,
}

#[derive(Debug)]
enum Kind {
    Refused(Refusal),
    Failed(Failure),
}

impl TaskError {
    /// The task would not have done what it was asked to: no targets, an unknown table or
    /// column, no usable row key, triggers that were not accepted, a keyring that does not belong to the data, limits
    /// that cannot be kept; for a check at start-up, plaintext and an old primary key too. Nothing was written, unless there
    /// is a [`report`](TaskError::report): a keyring can turn out to be the wrong one on the way.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused(_))
    }

    /// The database could not be reached, or kept failing until the time to give up. Run the task again to go on.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(&self.kind, Kind::Failed(failure) if failure.is_database())
    }

    /// What had been done until then, if anything.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    pub(crate) fn with_report(self, report: Report) -> Self {
        Self { report: Some(Box::new(report)), ..self }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Refused(refusal) => refusal.fmt(f),
            Kind::Failed(failure @ Failure::Database(_)) => {
                write!(f, "{failure}. Nothing is lost: run the task again to go on")
            }
            Kind::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for TaskError {}

impl From<Failure> for TaskError {
    fn from(failure: Failure) -> Self {
        Self { kind: Kind::Failed(failure), report: None }
    }
}

impl From<Refusal> for TaskError {
    fn from(refusal: Refusal) -> Self {
        Self { kind: Kind::Refused(refusal), report: None }
    }
}

/// What the task refuses to do, before it writes anything.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoTargets,
    UnknownTable {
        table: TableName,
    },
    UnknownColumn {
        table: TableName,
        column: String,
        known: Vec<String>,
    },
    Table {
        table: TableName,
        reason: String,
    },
    Column {
        table: TableName,
        column: String,
        reason: String,
    },
    Triggers {
        table: TableName,
        triggers: Vec<String>,
        way_out: &'static str,
    },
    Rules {
        table: TableName,
        rules: Vec<String>,
    },
    NoRowKey {
        table: TableName,
    },
    Plaintext {
        table: TableName,
        column: String,
        plaintext: u64,
        values: u64,
    },
    RetiredPrimary {
        primary: Fingerprint,
        recorded: String,
    },
    /// Dates in seconds since 1970.
    OldPrimary {
        primary: Fingerprint,
        newest: u64,
        newer: Fingerprint,
        newest_of_newer: u64,
    },
    WrongKeyring {
        job: Job,
        place: String,
        readable: u64,
        unreadable: u64,
    },
    /// Another process is at work under another keyring: the two would undo each other's work for ever.
    OtherKeys {
        others: String,
        theirs: String,
        mine: String,
    },
    OtherTargets {
        others: String,
        theirs: String,
        mine: String,
    },
    /// The two would undo each other's work for ever.
    OtherJob {
        others: String,
        theirs: Job,
        mine: Job,
    },
    TooShort {
        table: TableName,
        column: String,
        type_name: String,
        longest: u64,
        needed: u64,
    },
    Guarded {
        table: TableName,
        column: String,
    },
    NotATarget {
        table: TableName,
        column: String,
    },
    Tied {
        table: TableName,
        ties: Vec<String>,
    },
    ForeignRun,
    RunGone,
    NoStateTables {
        reason: String,
    },
    NobodyAtWork,
    NothingRecorded,
    PrimaryKey {
        key: Fingerprint,
    },
    UnknownKey {
        key: Fingerprint,
        known: String,
    },
    Limits {
        reason: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTargets => f.write_str(
                "there is nothing to re-encrypt: no column is named and the schema declares no encrypted column",
            ),
            Self::UnknownTable { table } => {
                write!(
                    f,
                    "there is no table {table}: check the name, its schema, and the database you are connected to"
                )
            }
            Self::UnknownColumn { table, column, known } => {
                write!(f, "the table {table} has no column {column}; it has {}", known.join(", "))
            }
            Self::Table { table, reason } => write!(f, "the table {table} cannot be re-encrypted: {reason}"),
            Self::Column { table, column, reason } => {
                write!(f, "the column {table}.{column} cannot be re-encrypted: {reason}")
            }
            Self::Triggers { table, triggers, way_out } => write!(
                f,
                "the table {table} has triggers that would fire in every row that is rewritten: {}. One that keeps an \
                 `updated_at`, as those of `diesel_manage_updated_at` do, would set it. To let them fire, run it with \
                 --accept-triggers (Task::accept_triggers). To rewrite without them, {way_out}",
                triggers.join(", ")
            ),
            Self::Rules { table, rules } => write!(
                f,
                "the table {table} cannot be re-encrypted: it has rules on UPDATE ({}), with which PostgreSQL does not \
                 take the task's statement. Switch them off while it runs: ALTER TABLE {table} DISABLE RULE …",
                rules.join(", ")
            ),
            Self::NoRowKey { table } => write!(
                f,
                "the table {table} has no usable row key: add a primary key, or a unique index on NOT NULL columns, \
                 of an integer, text, uuid, binary, date or decimal type"
            ),
            Self::Plaintext { table, column, plaintext, values } => write!(
                f,
                "the column {table}.{column} holds plaintext: {plaintext} of {values} values that were looked at. If it is \
                 being encrypted, read it with Adopting and name it to the check (StartupCheck::adopting) until \
                 `diesel-encrypted encrypt` is through. Else somebody writes past the application: `diesel-encrypted \
                 status` counts such values"
            ),
            Self::RetiredPrimary { primary, recorded } => write!(
                f,
                "the primary key of this keyring, {primary}, was rotated away from: a re-encryption of this database has \
                 brought values from it under {recorded}. What is written under it now keeps it needed. Put the newest key \
                 in front, as the other processes have it. To go back to {primary} on purpose, run `diesel-encrypted \
                 reencrypt` with this keyring first"
            ),
            Self::OldPrimary { primary, newest, newer, newest_of_newer } => write!(
                f,
                "the primary key of this keyring, {primary}, is an old one by the dates of the values: the newest under it \
                 is of {}, and others write under {newer}, lately at {}. Put {newer} in front, as the other processes have \
                 it. If {primary} is the new one, a re-encryption that keeps no account (--stateless) has stopped half-way: \
                 let it finish, or raise StartupCheck::deployment",
                date(*newest),
                date(*newest_of_newer)
            ),
            Self::WrongKeyring { job, place, readable, unreadable } => {
                write!(
                    f,
                    "this keyring does not belong to this data: of {} tokens read in {place} it opens {readable}. What \
                     it cannot open was not touched. Add the key that wrote them to the keyring",
                    readable + unreadable
                )?;
                if job.handles_plaintext() {
                    f.write_str(
                        "; or, if it is plaintext that looks like a token, name its column with --token-like-plaintext",
                    )?;
                }
                Ok(())
            }
            Self::OtherKeys { others, theirs, mine } => write!(
                f,
                "another process ({others}) is re-encrypting with other keys: {theirs} there, the primary first, {mine} \
                 here. Give both the same keyring, or wait until it is done"
            ),
            Self::OtherJob { others, theirs, mine } => write!(
                f,
                "another process ({others}) is {theirs} this database, and this one would be {mine} it. Wait until it is \
                 done, or end it with `diesel-encrypted stop`"
            ),
            Self::TooShort { table, column, type_name, longest, needed } => write!(
                f,
                "the column {table}.{column} is too short: its type is {type_name}, and the token of its longest plaintext, \
                 of {longest} bytes, has a length of {needed}. Make it {} long at least, one more for the guard to know \
                 a token that was cut off by, and run it again",
                needed + 1
            ),
            Self::Guarded { table, column } => write!(
                f,
                "the column {table}.{column} has a guard, which lets no plaintext in: when the application writes \
                 plaintext, revert its migration (`diesel migration revert`; if others came after it, a new migration \
                 with the statements of its down.sql, which on SQLite refuse a table that has changed since: \
                 docs/columns.md tells what to do then), and run this again"
            ),
            Self::NotATarget { table, column } => write!(
                f,
                "{table}.{column} is said to hold plaintext that looks like tokens, and is none of the columns at hand: \
                 name it among them, in the same words"
            ),
            Self::Tied { table, ties } => write!(
                f,
                "the table {table} cannot be rewritten without changing other columns: {}. Take that away first",
                ties.join("; ")
            ),
            Self::OtherTargets { others, theirs, mine } => write!(
                f,
                "another process ({others}) is re-encrypting other columns: {theirs} there, {mine} here. Name the same \
                 columns, or wait until it is done"
            ),
            Self::ForeignRun => f.write_str(
                "the table __diesel_encrypted_run was written by another version of this program. Let that version \
                 finish, or drop the tables __diesel_encrypted_run, __diesel_encrypted_chunk and \
                 __diesel_encrypted_problem: they hold no data of the application",
            ),
            Self::RunGone => f.write_str(
                "the row of this run in the table __diesel_encrypted_run is gone, or another version of this program has \
                 overwritten it. What was rewritten is rewritten: run it again",
            ),
            Self::NoStateTables { reason } => write!(
                f,
                "the tables that the task shares its work through are not there, and it may not create them: {reason}. \
                 Write a migration with `diesel-encrypted migration state` and run it, or work from one process with \
                 --stateless"
            ),
            Self::NobodyAtWork => f.write_str(
                "no process is re-encrypting this database now, as far as its tables tell. One that works without them, \
                 with --stateless or by default on SQLite, hears only signals: SIGTERM stops it after its batch",
            ),
            Self::NothingRecorded => f.write_str(
                "nothing was ever recorded here: the task never ran on this database, or only without tables of its own, \
                 with --stateless or by default on SQLite. What such a run found is in its report. To have it recorded, \
                 write a migration with `diesel-encrypted migration state`, run it, and then `diesel-encrypted reencrypt`",
            ),
            Self::PrimaryKey { key } => write!(
                f,
                "{key} is the primary key: it encrypts every new value. Put another key in front of it, and re-encrypt, \
                 before you ask whether it may be removed"
            ),
            Self::UnknownKey { key, known } => write!(
                f,
                "{key} is not in the keyring ({known}), so nobody can tell which values are under it. Add the key to the \
                 keyring, behind the others, and ask again"
            ),
            Self::Limits { reason } => f.write_str(reason),
        }
    }
}
