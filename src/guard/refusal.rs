//! Why a column gets no guard, and what to do about it.

use std::fmt::{self, Write};

use crate::database::GuardKind;
use crate::guard::names::place;
use crate::targets::{Escaping, TableName};

/// Why a column gets no guard. It names tables with their schema, and all names as the database spells them.
///
/// [`Display`](fmt::Display) describes the problem. If the next step is one of this crate,
/// [`remedy`](GuardRefusal::remedy) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardRefusal {
    /// No column is named.
    NoColumns,
    /// The database has no such table.
    UnknownTable {
        /// The table, as it was named.
        table: TableName,
    },
    /// The table has no such column.
    UnknownColumn {
        /// The table.
        table: TableName,
        /// The column, as it was named.
        column: String,
        /// The columns of the table.
        known: Vec<String>,
    },
    /// The table cannot be guarded.
    UnsuitableTable {
        /// The table.
        table: TableName,
        /// Why not.
        reason: String,
    },
    /// The column cannot be guarded.
    UnsuitableColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Why not.
        reason: String,
    },
    /// The column has a guard.
    AlreadyGuarded {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The kind of its guard.
        kind: GuardKind,
    },
    /// The column holds values that are not tokens.
    NotTokens {
        /// The table.
        table: TableName,
        /// The table, as it was named.
        named: TableName,
        /// The column.
        column: String,
        /// The number of these values.
        count: u64,
    },
    /// The column holds tokens whose type differs from its declared type (SQLite).
    OtherType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The number of these tokens.
        count: u64,
        /// The statement that converts them.
        sql: String,
    },
    /// The database cannot add the guard online.
    NotOnline {
        /// The table.
        table: TableName,
        /// The column, if it is the reason.
        column: Option<String>,
        /// Why not.
        reason: String,
    },
    /// Only the type of the column can guard it (PostgreSQL).
    OnlyDomain {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Why not a CHECK.
        reason: String,
    },
    /// The database has no domains.
    NoDomains {
        /// The table.
        table: TableName,
    },
    /// The table cannot be created again by a migration (SQLite).
    NotRebuilt {
        /// The table.
        table: TableName,
        /// Why not.
        reason: String,
        /// The constraints that are its guards.
        constraints: Vec<String>,
    },
}

/// What to do before the guard can be written. [`Display`](fmt::Display) names the items of this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardRemedy {
    /// Encrypt this column first.
    Encrypt {
        /// The table, as it was named.
        table: TableName,
        /// The column.
        column: String,
    },
    /// Write the guard with [`Way::Check`](crate::guard::Way::Check).
    Check,
    /// Write the guard with [`Way::Domain`](crate::guard::Way::Domain), whose effects on the application are larger.
    Domain,
    /// Run this statement first.
    Run {
        /// The statement.
        sql: String,
    },
    /// Create the table again by hand with these constraints.
    ByHand {
        /// The constraints.
        constraints: Vec<String>,
    },
}

impl GuardRefusal {
    /// What to do before the guard can be written, unless you only have to correct a name or the schema.
    #[must_use]
    pub fn remedy(&self) -> Option<GuardRemedy> {
        match self {
            Self::NotTokens { named, column, .. } => {
                Some(GuardRemedy::Encrypt { table: named.clone(), column: column.clone() })
            }
            Self::OtherType { sql, .. } => Some(GuardRemedy::Run { sql: sql.clone() }),
            Self::NotOnline { .. } | Self::NoDomains { .. } => Some(GuardRemedy::Check),
            Self::OnlyDomain { .. } => Some(GuardRemedy::Domain),
            Self::NotRebuilt { constraints, .. } => Some(GuardRemedy::ByHand { constraints: constraints.clone() }),
            _ => None,
        }
    }
}

impl fmt::Display for GuardRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            Self::NoColumns => f.write_str("there is nothing to guard, because no column is named."),
            Self::UnknownTable { table } => write!(
                f,
                "there is no table {table}. Check the name, its schema, and the database that you are connected to."
            ),
            Self::UnknownColumn { table, column, known } => {
                write!(f, "the table {table} has no column {column}. Its columns are {}.", known.join(", "))
            }
            Self::UnsuitableTable { table, reason } | Self::NotRebuilt { table, reason, .. } => {
                write!(f, "the table {table} cannot be guarded: {reason}.")
            }
            Self::UnsuitableColumn { table, column, reason } => {
                write!(f, "{} cannot be guarded: {reason}.", place(table, column))
            }
            Self::AlreadyGuarded { table, column, kind: GuardKind::UnvalidatedCheck } => write!(
                f,
                "{} already has a guard, but the guard is not validated. Run the migration that validates it, or \
                 ALTER TABLE … VALIDATE CONSTRAINT.",
                place(table, column)
            ),
            Self::AlreadyGuarded { table, column, kind } => {
                let what = match kind {
                    GuardKind::Domain => "its type is a domain that accepts only tokens",
                    _ => "a CHECK that accepts only tokens",
                };
                write!(f, "{} already has a guard: {what}.", place(table, column))
            }
            Self::NotTokens { table, column, count, .. } => {
                let values = if *count == 1 { "value that is not a token" } else { "values that are not tokens" };
                write!(f, "{} holds {count} {values}. The database would refuse the guard.", place(table, column))
            }
            Self::OtherType { table, column, count, .. } => {
                let tokens = if *count == 1 { "token that is" } else { "tokens that are" };
                write!(
                    f,
                    "{} holds {count} {tokens} stored as another type than the declared type of the column. The \
                     database would refuse the guard.",
                    place(table, column)
                )
            }
            Self::NotOnline { table, column, reason } => {
                let guarded = column.as_ref().map_or_else(|| table.to_string(), |column| place(table, column));
                write!(f, "{guarded} cannot be guarded online: {reason}.")
            }
            Self::OnlyDomain { table, column, reason } => {
                write!(f, "{} cannot be guarded by a CHECK: {reason}.", place(table, column))
            }
            Self::NoDomains { table } => {
                write!(f, "the table {table} cannot be guarded by a domain: only PostgreSQL has domains.")
            }
        }
    }
}

impl fmt::Display for GuardRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypt { table, column } => write!(
                f,
                "First encrypt {}: run a `Task` with `Job::Encrypt` until its report is proven.",
                place(table, column)
            ),
            Self::Check => f.write_str("Use `Way::Check`."),
            Self::Domain => f.write_str("Use `Way::Domain`, after you have read what it does to the application."),
            Self::Run { sql } => write!(f, "Run this first: {sql}"),
            Self::ByHand { constraints } => {
                write!(
                    f,
                    "Create the table again by hand, with these constraints:\n\n    {}",
                    constraints.join(",\n    ")
                )
            }
        }
    }
}
