//! Why no migration was written.

use std::fmt;

use diesel::result::Error as DieselError;

use crate::database::guard_kind::GuardKind;
use crate::keys::fernet::token::Token;
use crate::targets::TableName;

/// Why no migration was written. It carries no value of any column.
#[derive(Debug)]
pub struct GuardError(Kind);

#[derive(Debug)]
enum Kind {
    Refused(Refusal),
    Database(String),
}

impl GuardError {
    /// There is nothing to guard, or the guard would not go on: an unknown table or column, one that has a guard, one
    /// that holds plaintext, a table whose definition is not understood.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.0, Kind::Refused(_))
    }

    /// The database failed.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(self.0, Kind::Database(_))
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Refused(refusal) => refusal.fmt(f),
            Kind::Database(error) => write!(f, "the database failed: {error}. Nothing was written"),
        }
    }
}

impl std::error::Error for GuardError {}

impl From<Refusal> for GuardError {
    fn from(refusal: Refusal) -> Self {
        Self(Kind::Refused(refusal))
    }
}

impl From<DieselError> for GuardError {
    fn from(error: DieselError) -> Self {
        Self(Kind::Database(Token::hide_in(&error.to_string())))
    }
}

/// Why a column gets no guard.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoColumns,
    UnknownTable { table: TableName },
    UnknownColumn { table: TableName, column: String, known: Vec<String> },
    Table { table: TableName, reason: String },
    Column { place: String, reason: String },
    IsGuarded { place: String, kind: GuardKind },
    NotTokens { place: String, count: u64, argument: String },
    OtherType { place: String, count: u64, sql: String },
    NotOnline { reason: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColumns => f.write_str("there is nothing to guard: no column is named"),
            Self::UnknownTable { table } => {
                write!(
                    f,
                    "there is no table {table}: check the name, its schema, and the database you are connected to"
                )
            }
            Self::UnknownColumn { table, column, known } => {
                write!(f, "the table {table} has no column {column}; it has {}", known.join(", "))
            }
            Self::Table { table, reason } => write!(f, "no guard for the table {table}: {reason}"),
            Self::Column { place, reason } => write!(f, "no guard for {place}: {reason}"),
            Self::IsGuarded { place, kind: GuardKind::UnvalidatedCheck } => write!(
                f,
                "{place} has a guard already, which nobody has validated: run the migration that does, or ALTER TABLE \
                 … VALIDATE CONSTRAINT"
            ),
            Self::IsGuarded { place, kind: GuardKind::Domain } => {
                write!(f, "{place} has a guard already: its type is a domain that takes tokens only")
            }
            Self::IsGuarded { place, .. } => {
                write!(f, "{place} has a guard already: a CHECK that takes tokens only")
            }
            Self::NotTokens { place, count, argument } => write!(
                f,
                "{place} holds {count} values that are not tokens, and the database would refuse the guard: run \
                 `diesel-encrypted encrypt --column {argument}` to its proof first"
            ),
            Self::OtherType { place, count, sql } => write!(
                f,
                "{place} holds {count} tokens that are stored as another type than the column is declared with, and the \
                 database would refuse the guard. Run this first: {sql}"
            ),
            Self::NotOnline { reason } => write!(f, "--online is not possible here: {reason}"),
        }
    }
}
