//! The progress of a claim, which is written in the same transaction as the rows.

use diesel::RunQueryDsl;
use diesel::result::QueryResult;

use crate::database::sql::{Sql, TextConnection};

/// The progress of the work under a claim. A swap writes it together with the rows.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    pub(crate) claim: u64,
    pub(crate) progress: &'a str,
}

/// The table of the progress, one row for each claim.
pub(crate) const CHUNK: &str = "__diesel_encrypted_chunk";

/// The beginning of a checkpoint's statement. The progress and `WHERE claim = …` follow.
pub(crate) const CHECKPOINT: &str = "UPDATE __diesel_encrypted_chunk SET progress =";

impl Checkpoint<'_> {
    /// Writes only the progress. Returns `false` if another process has taken over the claim.
    pub(crate) fn write(&self, conn: &mut impl TextConnection) -> QueryResult<bool> {
        let sql = format!("{CHECKPOINT} ? WHERE claim = {}", self.claim);
        Sql::new(sql).bind(self.progress).execute(conn).map(|rows: usize| rows == 1)
    }
}
