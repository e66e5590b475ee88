//! Why a task did not run to its end.

use std::fmt;

use super::report::Report;
use crate::target::TableName;
use crate::token::Token;

/// Why a task did not run to its end. It carries no value of any column.
#[derive(Debug)]
pub struct TaskError {
    kind: Kind,
    report: Option<Box<Report>>,
}

#[derive(Debug)]
enum Kind {
    Refused(Refusal),
    Database(String),
    Internal(String),
}

impl TaskError {
    /// The task would not have done what it was asked to, and nothing was written: no targets, an unknown table or
    /// column, no usable row key, a keyring that does not belong to the data, limits that cannot be kept.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused(_))
    }

    /// The database could not be reached, or kept failing until the time to give up. Run the task again to go on.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(self.kind, Kind::Database(_))
    }

    /// What had been done until then, if anything.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// Servers and triggers quote in their messages what they like.
    pub(super) fn database(error: impl fmt::Display) -> Self {
        Self { kind: Kind::Database(Token::hide_in(&error.to_string())), report: None }
    }

    pub(super) fn internal(reason: impl Into<String>) -> Self {
        Self { kind: Kind::Internal(reason.into()), report: None }
    }

    pub(super) fn with_report(self, report: Report) -> Self {
        Self { report: Some(Box::new(report)), ..self }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Refused(refusal) => refusal.fmt(f),
            Kind::Database(error) => {
                write!(f, "the database failed: {error}. Nothing is lost: run the task again to go on")
            }
            Kind::Internal(error) => write!(f, "internal error: {error}"),
        }
    }
}

impl std::error::Error for TaskError {}

impl From<Refusal> for TaskError {
    fn from(refusal: Refusal) -> Self {
        Self { kind: Kind::Refused(refusal), report: None }
    }
}

/// What the task refuses to do, before it writes anything.
#[derive(Debug)]
pub(super) enum Refusal {
    NoTargets,
    UnknownTable { table: TableName },
    UnknownColumn { table: TableName, column: String, known: Vec<String> },
    Table { table: TableName, reason: String },
    Column { table: TableName, column: String, reason: String },
    NoRowKey { table: TableName },
    WrongKeyring { place: String, readable: u64, unreadable: u64 },
    Limits { reason: String },
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
            Self::NoRowKey { table } => write!(
                f,
                "the table {table} has no usable row key: add a primary key, or a unique index on NOT NULL columns, \
                 of an integer, text, uuid, binary, date or decimal type"
            ),
            Self::WrongKeyring { place, readable, unreadable } => write!(
                f,
                "this keyring does not belong to this data: of {} tokens sampled in {place} it reads {readable}. \
                 Nothing was written. Add the key that wrote them to the keyring",
                readable + unreadable
            ),
            Self::Limits { reason } => f.write_str(reason),
        }
    }
}
