//! The result of a comparison.

use serde::{Serialize, Serializer};

use crate::database::{Dialect, Relation};
use crate::discover::finding::Finding;
use crate::discover::register::Register;
use crate::guard::names::place;
use crate::targets::{TableName, Target};

/// The result of a [`Discovery`](crate::discover::Discovery).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "there may be findings"]
pub struct Discovered {
    /// The checked columns: the declared columns, and all others that can hold tokens.
    pub columns: Vec<ColumnFound>,
    /// The differences between the database and the declared columns, by table and column.
    pub findings: Vec<Finding>,
    /// The number of accepted findings.
    pub accepted: usize,
    /// The ignored columns that have no finding: `people.email`.
    pub needless: Vec<String>,
}

/// A checked column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnFound {
    /// The table, with its schema.
    #[serde(serialize_with = "as_text")]
    pub table: TableName,
    /// The column.
    pub column: String,
    /// Whether it is declared as encrypted.
    pub declared: bool,
    /// Whether the database refuses values that are not tokens.
    pub guarded: bool,
    /// The number of sampled values, without `NULL`s.
    pub sampled: u64,
    /// The number of tokens among them. In a declared column, every value that begins as a token does counts.
    pub tokens: u64,
    /// The number of values that hold a token in a wrong shape.
    pub misshapen: u64,
}

fn as_text<S: Serializer>(table: &TableName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(table)
}

impl Discovered {
    /// Whether at least one column is declared as encrypted, and there are no findings.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.columns.iter().any(|column| column.declared)
    }

    /// Removes the accepted findings, and sorts the others.
    pub(crate) fn accept<DB: Dialect>(&mut self, ignored: &[Target], relations: &[Relation]) {
        for target in ignored {
            let register = Register::new::<DB>(std::slice::from_ref(target), relations);
            let before = self.findings.len();
            self.findings.retain(|found| {
                [&found.column, "*"].into_iter().all(|column| !register.names::<DB>(&found.table, column))
            });
            if self.findings.len() == before {
                self.needless.extend(target.columns().iter().map(|name| place(target.table(), name)));
            }
            self.accepted += before - self.findings.len();
        }
        self.findings.sort_by_key(|found| (found.table.to_string(), found.column.clone()));
    }
}
