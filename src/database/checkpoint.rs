//! The progress of a claim, which is written in the same transaction as the rows.

use diesel::RunQueryDsl;
use diesel::result::QueryResult;

use crate::database::sql::{Sql, TextConnection};

/// The progress of the work under a claim. A swap writes it together with the rows.
pub struct Checkpoint {
    /// The table of the progress, in quotes. It has one row for each claim.
    pub(crate) table: String,
    pub(crate) claim: u64,
    pub(crate) progress: String,
}

impl Checkpoint {
    /// `UPDATE … SET progress =`. The progress and `WHERE claim = …` follow.
    pub(crate) fn update(&self) -> String {
        format!("UPDATE {} SET progress =", self.table)
    }

    /// Writes only the progress. Returns `false` if another process has taken over the claim.
    pub(crate) fn write(&self, conn: &mut impl TextConnection) -> QueryResult<bool> {
        let sql = format!("{} ? WHERE claim = {}", self.update(), self.claim);
        Sql::new(sql).bind(&self.progress).execute(conn).map(|rows: usize| rows == 1)
    }
}
