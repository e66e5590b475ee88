//! The cost of a task, estimated from the catalogue alone.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::database::plan::{PlannedColumn, PlannedTable};
use crate::keys::fernet::token::{raw_token_len, token_len};
use crate::targets::Escaping;

/// The size in bytes from which a table is large, so that it is worth preparing the database.
pub(crate) const LARGE: u64 = 1 << 30;

/// The cost of a task that has to rewrite every row. [`Task::estimate`](crate::reencrypt::Task::estimate) returns it.
///
/// The figures are rough. They come from the catalogue and from measurements on each database, with tokens of about 140
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// One entry per table.
    pub tables: Vec<TableEstimate>,
}

/// The cost of rewriting one table. A figure is `None` if the database does not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableEstimate {
    /// The table, with its schema.
    pub table: String,
    /// The number of rows.
    pub rows: Option<u64>,
    /// The size of the rows in bytes.
    pub rewritten: Option<u64>,
    /// The number of bytes that the database writes to its log: the WAL of PostgreSQL and SQLite, or the redo log and
    /// the binary log of MySQL and MariaDB.
    pub logged: Option<u64>,
    /// The number of bytes by which the table and its indexes grow unless they are vacuumed at the same time.
    pub growth: Option<u64>,
    /// How to prepare the database, with the statements. Empty for small tables.
    pub advice: Vec<String>,
}

impl TableEstimate {
    /// Adds the tokens to the estimate for a table in which every value is plaintext. The lengths are unknown, so it
    /// counts the shortest token.
    pub(crate) fn and_tokens(mut self, table: &PlannedTable) -> Self {
        let of = |column: &PlannedColumn| if column.is_text { token_len(0) } else { raw_token_len(0) } as u64;
        if let Some(rows) = self.rows {
            let tokens = rows * table.columns.iter().map(of).sum::<u64>();
            self.growth = Some(self.growth.unwrap_or(0) + tokens);
            for bytes in [&mut self.rewritten, &mut self.logged].into_iter().flatten() {
                *bytes += tokens;
            }
        }
        self
    }
}

/// `public.people, if every row is rewritten: about 1000 rows, 350 KiB of them, 900 KiB of log, 400 KiB of growth`
impl fmt::Display for TableEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        write!(f, "{}, if every row is rewritten: ", self.table)?;
        match self.rows {
            Some(rows) => write!(f, "about {rows} rows")?,
            None => f.write_str("rows unknown, because the table was never analysed")?,
        }
        for (bytes, of_what) in [(self.rewritten, "them"), (self.logged, "log"), (self.growth, "growth")] {
            if let Some(bytes) = bytes {
                write!(f, ", {} of {of_what}", Bytes(bytes))?;
            }
        }
        Ok(())
    }
}

/// `840 B`, `1.5 GiB`
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0 as f64;
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if amount < 1024.0 {
                let decimals = usize::from(amount < 10.0 && unit != "B");
                return write!(f, "{amount:.decimals$} {unit}");
            }
            amount /= 1024.0;
        }
        write!(f, "{amount:.1} TiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_sentence() {
        let mut estimate =
            TableEstimate { table: "people".into(), rows: Some(1000), rewritten: Some(1 << 20), ..Default::default() };
        assert_eq!(estimate.to_string(), "people, if every row is rewritten: about 1000 rows, 1.0 MiB of them");
        (estimate.rows, estimate.rewritten, estimate.logged) = (None, None, Some(30 << 30));
        let unknown = "people, if every row is rewritten: rows unknown, because the table was never analysed";
        assert_eq!(estimate.to_string(), format!("{unknown}, 30 GiB of log"));
        assert_eq!(Bytes(0).to_string(), "0 B");
        assert_eq!(Bytes(3 << 40).to_string(), "3.0 TiB");
    }
}
