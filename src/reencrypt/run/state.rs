//! The tables of the task: one row for the run, one for each claim, and one for each problem.
//!
//! With them, processes share the work and do not repeat it. The data is the state: dropping the tables costs only the
//! time to read everything again.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use diesel::result::{Error as DieselError, QueryResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::database::quote::{quoted, quoted_table};
use crate::database::{
    CatalogueReader, Checkpoint, Dialect, DialectConnection, Fields, Language, Moment, OwnTables, Session, Sql,
    TaskConnection,
};
use crate::keys::key::hex;
use crate::reencrypt::report::problem::LISTED;
use crate::reencrypt::report::{Cause, Problem, ProblemKind, Problems, Refusal};
use crate::reencrypt::run::claim::{ClaimNumber, ClaimProgress};
use crate::reencrypt::run::rules::Run;
use crate::reencrypt::run::sound::MOST;
use crate::targets::TableName;

// `diesel print-schema` ignores tables whose names begin with two underscores.
const RUN: &str = "__diesel_encrypted_run";
const CHUNK: &str = "__diesel_encrypted_chunk";
const PROBLEM: &str = "__diesel_encrypted_problem";

/// The most problems in one statement. Other processes may have to wait until it ends.
const RECORDED_AT_ONCE: usize = 100;

/// The version of the document in the table of the run. Processes with different versions cannot work together.
const VERSION: u32 = 2;

/// The statements that create the tables of the task where they are missing, and the statements that drop them.
///
/// Use them in migrations if the user of the task may not create tables. On SQLite, processes share their work only if
/// the tables exist.
///
/// The task needs the privileges `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the tables. They hold no values, only row
/// keys and names. Dropping them costs only the time to read everything again.
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// let tables = diesel_encrypted::reencrypt::state_tables::<diesel::sqlite::Sqlite>();
/// assert!(tables.create.iter().all(|statement| statement.starts_with("CREATE TABLE IF NOT EXISTS __diesel_encrypted_")));
/// assert!(tables.drop.iter().all(|statement| statement.starts_with("DROP TABLE IF EXISTS __diesel_encrypted_")));
/// ```
#[must_use]
pub fn state_tables<DB: Dialect>() -> StateTables {
    StateTables {
        create: create::<DB>(None),
        drop: [RUN, CHUNK, PROBLEM].map(|table| format!("DROP TABLE IF EXISTS {table}")),
    }
}

/// The statements that create the tables of the task in this schema.
pub(crate) fn create<DB: Dialect>(schema: Option<&str>) -> [String; 3] {
    let text = DB::TEXT;
    let options = DB::TABLE_OPTIONS;
    let schema = schema.map(|schema| quoted::<DB>(schema) + ".").unwrap_or_default();
    [
        (RUN, format!("id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), document {text}")),
        (CHUNK, format!("claim BIGINT NOT NULL PRIMARY KEY, progress {text} NOT NULL")),
        (
            PROBLEM,
            format!(
                "id CHAR(64) NOT NULL PRIMARY KEY, table_name {text} NOT NULL, column_name {text} NOT NULL, \
                 row_key {text} NOT NULL, kind {text} NOT NULL"
            ),
        ),
    ]
    .map(|(table, columns)| format!("CREATE TABLE IF NOT EXISTS {schema}{table} ({columns}){options}"))
}

/// See [`state_tables`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateTables {
    /// One statement per table.
    pub create: [String; 3],
    /// One statement per table.
    pub drop: [String; 3],
}

/// The content of the table of the run.
// Only one of these exists at a time.
#[expect(clippy::large_enum_variant)]
pub(crate) enum Stored {
    Nothing,
    Run(Run),
    /// Another version of the task wrote it, or somebody else.
    Foreign,
}

/// The tables of the task, by their names in quotes and with their schemas.
pub(crate) struct State {
    run: String,
    chunk: String,
    problem: String,
}

impl State {
    /// Finds the tables where the application would find them. Returns `None` if one is missing.
    pub(crate) fn find<C: TaskConnection>(session: &mut Session<'_, C>) -> Result<Option<Self>, Cause> {
        let found = session.run(|conn| {
            let mut names = Vec::new();
            for name in [RUN, CHUNK, PROBLEM] {
                let Some(table) = C::Backend::catalogue(conn, &TableName::new(name))? else { return Ok(Ok(None)) };
                if let Some(reason) = C::Backend::distrust(conn, &table.name)? {
                    return Ok(Err(Refusal::ForeignTable { table: table.name, reason }));
                }
                names.push(quoted_table::<C::Backend>(&table.name));
            }
            Ok(Ok(<[String; 3]>::try_from(names).ok()))
        })?;
        Ok(found?.map(|[run, chunk, problem]| Self { run, chunk, problem }))
    }

    /// Makes sure that this user may write to the tables.
    pub(crate) fn check<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<(), Cause> {
        let Self { run, chunk, problem } = self;
        let insert = |table| format!("EXPLAIN INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0");
        let update = |table, column| format!("EXPLAIN UPDATE {table} SET {column} = {column} WHERE 1 = 0");
        let delete = |table| format!("EXPLAIN DELETE FROM {table} WHERE 1 = 0");
        let statements = [run, chunk, problem].map(insert).into_iter().chain([chunk, problem].map(delete));
        for statement in statements.chain([update(run, "document"), update(chunk, "progress")]) {
            session.ask(|conn| conn.batch_execute(&statement))?;
        }
        Ok(())
    }

    /// Reads the clock and the run. Until the transaction ends, nobody else can change the run. On SQLite, the
    /// connection becomes the only writer.
    pub(crate) fn lock<C: DialectConnection>(&self, conn: &mut C) -> QueryResult<(Moment, Stored)> {
        Sql::new(format!("UPDATE {} SET id = id WHERE id = 1", self.run)).execute(conn)?;
        Ok((now(conn)?, self.load(conn)?))
    }

    pub(crate) fn load<C: DialectConnection>(&self, conn: &mut C) -> QueryResult<Stored> {
        let text = Sql::new(format!("SELECT document FROM {} WHERE id = 1", self.run)).first(conn)?;
        Ok(match text.as_deref().map(serde_json::from_str::<Document<Run>>) {
            None => Stored::Nothing,
            Some(Ok(Document { version: VERSION, run })) if run.claims <= MOST => Stored::Run(run),
            Some(_) => Stored::Foreign,
        })
    }

    pub(crate) fn save<C: DialectConnection>(&self, conn: &mut C, run: &Run) -> QueryResult<()> {
        let table = &self.run;
        let document = write(&Document { version: VERSION, run })?;
        if Sql::new(format!("UPDATE {table} SET document = ? WHERE id = 1")).bind(&document).execute(conn)? == 0 {
            Sql::new(format!("INSERT INTO {table} (id, document) VALUES (1, ?)")).bind(&document).execute(conn)?;
        }
        Ok(())
    }

    /// Begins the work under a claim.
    pub(crate) fn open_chunk<C: DialectConnection>(&self, conn: &mut C, claim: ClaimNumber) -> QueryResult<()> {
        let progress = write(&ClaimProgress::default())?;
        let sql = format!("INSERT INTO {} (claim, progress) VALUES ({claim}, ?)", self.chunk);
        Sql::new(sql).bind(&progress).execute(conn).map(|_: usize| ())
    }

    /// The progress of a claim, which a write records.
    pub(crate) fn checkpoint(&self, claim: ClaimNumber, progress: &ClaimProgress) -> QueryResult<Checkpoint> {
        Ok(Checkpoint { table: self.chunk.clone(), claim, progress: write(progress)? })
    }

    /// Ends the work under a claim and returns its last progress. From now on, the database refuses writes under it.
    pub(crate) fn close_chunk<C: DialectConnection>(
        &self,
        conn: &mut C,
        claim: ClaimNumber,
    ) -> QueryResult<Option<ClaimProgress>> {
        let table = &self.chunk;
        // Lock the row first: the holder may be about to write.
        Sql::new(format!("UPDATE {table} SET claim = claim WHERE claim = {claim}")).execute(conn)?;
        let progress = Sql::new(format!("SELECT progress FROM {table} WHERE claim = {claim}")).first(conn)?;
        Sql::new(format!("DELETE FROM {table} WHERE claim = {claim}")).execute(conn)?;
        // If the progress is unreadable, another process does the work again.
        Ok(progress.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Deletes all claims, for a new run.
    pub(crate) fn close_chunks<C: DialectConnection>(&self, conn: &mut C) -> QueryResult<()> {
        Sql::new(format!("DELETE FROM {}", self.chunk)).execute(conn).map(|_: usize| ())
    }

    /// Records problems. A problem that is recorded already is replaced.
    pub(crate) fn record<C: DialectConnection>(&self, conn: &mut C, problems: &[Problem]) -> QueryResult<()> {
        let table = &self.problem;
        for chunk in problems.chunks(RECORDED_AT_ONCE) {
            let rows: BTreeMap<String, [&str; 4]> =
                chunk.iter().map(|problem| (identity(problem), fields(problem))).collect();
            let ids = vec!["?"; rows.len()].join(", ");
            let delete = Sql::new(format!("DELETE FROM {table} WHERE id IN ({ids})"));
            rows.keys().fold(delete, |sql, id| sql.bind(id)).execute(conn)?;
            let values = vec!["(?, ?, ?, ?, ?)"; rows.len()].join(", ");
            let insert =
                Sql::new(format!("INSERT INTO {table} (id, table_name, column_name, row_key, kind) VALUES {values}"));
            let bound = rows
                .iter()
                .fold(insert, |sql, (id, fields)| fields.iter().fold(sql.bind(id), |sql, field| sql.bind(field)));
            bound.execute(conn)?;
        }
        Ok(())
    }

    /// Deletes the recorded problems of a column, because everything was read again.
    pub(crate) fn forget<C: DialectConnection>(&self, conn: &mut C, table: &str, column: &str) -> QueryResult<()> {
        let sql = format!("DELETE FROM {} WHERE table_name = ? AND column_name = ?", self.problem);
        Sql::new(sql).bind(table).bind(column).execute(conn).map(|_: usize| ())
    }

    /// The recorded problems of these columns, or of all.
    pub(crate) fn problems<C: DialectConnection>(
        &self,
        conn: &mut C,
        columns: Option<&[(String, &str)]>,
    ) -> QueryResult<Problems> {
        let condition = match columns {
            Some(columns) => vec!["(table_name = ? AND column_name = ?)"; columns.len()].join(" OR "),
            None => "1 = 1".into(),
        };
        let from = format!("FROM {} WHERE {condition}", self.problem);
        let bind = |sql: String| {
            let columns = columns.unwrap_or_default().iter();
            columns.fold(Sql::new(sql), |sql, (table, column)| sql.bind(table).bind(column))
        };
        let listed = format!("SELECT table_name, column_name, row_key, kind {from} ORDER BY id LIMIT {LISTED}");
        let rows: Vec<Fields> = bind(listed).load(conn)?;
        let all = bind(select_number("COUNT(*)", &from)).number(conn)?;
        Ok(Problems::recorded(rows.into_iter().filter_map(problem).collect(), all).sorted())
    }
}

pub(crate) fn now<C: DialectConnection>(conn: &mut C) -> QueryResult<Moment> {
    Sql::new(select_number(C::Backend::NOW, "")).number(conn)
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    version: u32,
    run: R,
}

/// Selects a whole number as text, which is the same on every database.
fn select_number(expression: &str, from: &str) -> String {
    format!("SELECT CAST({expression} AS CHAR(20)) {from}")
}

fn problem(mut row: Fields) -> Option<Problem> {
    Some(Problem {
        table: row.take(0)?,
        column: row.take(1)?,
        row: row.take(2)?,
        kind: ProblemKind::from_name(&row.take(3)?)?,
    })
}

fn fields(problem: &Problem) -> [&str; 4] {
    [&problem.table, &problem.column, &problem.row, problem.kind.name()]
}

/// A hash of the names and the row key of a problem, short enough to be a key on every database.
fn identity(problem: &Problem) -> String {
    let names = Sha256::new().chain_update(&problem.table).chain_update([0]).chain_update(&problem.column);
    let hash = names.chain_update([0]).chain_update(&problem.row).finalize();
    hex(&hash)
}

/// A document of the task.
pub(crate) fn write(value: &impl Serialize) -> QueryResult<String> {
    serde_json::to_string(value).map_err(|error| DieselError::SerializationError(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes of this version work together with processes that wrote these documents.
    #[test]
    fn documents_keep_their_form() {
        let tally =
            r#"{"null":1,"plaintext":2,"unreadable":3,"withheld":4,"keys":[5,6],"dates":[7,8],"newest_stale":9}"#;
        let holder = r#"{"process":"a","worker":0,"claim":3}"#;
        let proof = r#""proof":{"moment":1795574000123,"values":6}"#;
        let ended = |doubt: &str| {
            format!(
                r#"{{"Ended":{{{proof},"doubt":{doubt},"tallies":[{tally}],"listed":2,"omitted":1,"signature":"s"}}}}"#
            )
        };
        let phases = [
            r#""Walk""#.to_owned(),
            format!(r#"{{"Prove":{holder}}}"#),
            ended("null"),
            ended(r#"{"Left":1}"#),
            ended(r#"{"LeftPlaintext":1}"#),
            ended(r#"{"LeftTokens":1}"#),
            ended(r#"{"OldPrimary":1795574000}"#),
            ended(r#"{"StillEncrypting":1795574000}"#),
            ended(r#"{"Open":["a","b"]}"#),
            ended(r#"{"Blind":"a"}"#),
            ended(r#"{"Changed":"t"}"#),
            ended(r#"{"Miscounted":{"table":"t","counted":2,"read":1}}"#),
        ];
        for phase in phases {
            let document =
                r#"{"version":2,"run":{"scope":{"job":"Reencrypt","keys":["a","b"],"check":"c","targets":["t (id): x"]},"#
                    .to_owned()
                    + r#""started":1795574000000,"pass":2,"is_paused":false,"phase":"#
                    + &phase
                    + r#","processes":{"a":{"until":1795574060000,"is_stopped":false}},"claims":3,"chunks":[{"range":"#
                    + r#"{"table":0,"after":[{"Int":1},{"Text":"b"}],"until":null},"holder":"#
                    + holder
                    + r#"}],"left":[{"table":0,"after":null,"until":[{"Bytes":[1]},{"UInt":2},{"Real":4602678819172646912}]}],"tallies":["#
                    + tally
                    + r#"],"written":[{"rewritten":1,"raced":2,"busy":3}],"busy":[4],"newest_stale":null,"retired":["c"],"#
                    + r#""signatures":["s","t"]}}"#;
            let read: Document<Run> = serde_json::from_str(&document).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), document);
        }
    }
}
