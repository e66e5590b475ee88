//! The tables of the task: one row for the run, one for each range that is being worked on, one for each bad value.
//!
//! They save work and bring processes together. The data is the truth: whoever drops them loses nothing but the time to
//! read everything again.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use diesel::result::{Error as DieselError, QueryResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::database::checkpoint::CHUNK;
use crate::database::connection::DialectConnection;
use crate::database::dialect::Dialect;
use crate::database::moment::Moment;
use crate::database::sql::{Fields, Sql};
use crate::reencrypt::report::problem::{LISTED, Problem, ProblemKind, Problems};
use crate::reencrypt::run::rules::{ClaimNumber, Progress, Run};
use crate::targets::TableName;

// `diesel print-schema` leaves out names that begin like this.
const RUN: &str = "__diesel_encrypted_run";
const PROBLEM: &str = "__diesel_encrypted_problem";

/// Bad values in one statement: others wait for the run meanwhile.
const RECORDED_AT_ONCE: usize = 100;

/// Of the document in the table of the run. Processes that write it otherwise cannot work together.
const VERSION: u32 = 1;

/// The statements that make the tables of the task where they are missing, and those that remove them. For migrations of
/// users who may not create tables, and for SQLite, on which the task shares its work only if the tables are there.
///
/// The task needs the rights to read and change them: `SELECT`, `INSERT`, `UPDATE` and `DELETE`. They hold no values, only
/// row keys and names; whoever drops them loses nothing but the time to read everything again.
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// let tables = diesel_encrypted::reencrypt::state_tables::<diesel::sqlite::Sqlite>();
/// assert!(tables.create.iter().all(|statement| statement.starts_with("CREATE TABLE IF NOT EXISTS __diesel_encrypted_")));
/// assert!(tables.drop.iter().all(|statement| statement.starts_with("DROP TABLE IF EXISTS __diesel_encrypted_")));
/// ```
#[must_use]
pub fn state_tables<DB: Dialect>() -> StateTables {
    StateTables { create: create(DB::TEXT), drop: drop() }
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

fn create(text: &str) -> [String; 3] {
    [
        format!("CREATE TABLE IF NOT EXISTS {RUN} (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), document {text})"),
        format!("CREATE TABLE IF NOT EXISTS {CHUNK} (claim BIGINT NOT NULL PRIMARY KEY, progress {text} NOT NULL)"),
        format!(
            "CREATE TABLE IF NOT EXISTS {PROBLEM} (id CHAR(64) NOT NULL PRIMARY KEY, table_name {text} NOT NULL, \
             column_name {text} NOT NULL, row_key {text} NOT NULL, kind {text} NOT NULL)"
        ),
    ]
}

fn drop() -> [String; 3] {
    [RUN, CHUNK, PROBLEM].map(|table| format!("DROP TABLE IF EXISTS {table}"))
}

/// Whether the tables are there, in the schema that the connection uses by default.
pub(crate) fn exists<C: DialectConnection>(conn: &mut C) -> QueryResult<bool> {
    for name in [RUN, CHUNK, PROBLEM] {
        if C::Backend::catalogue(conn, &TableName::new(name))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Keeps others from changing the run until the transaction ends; SQLite thereby becomes the one writer.
pub(crate) fn lock<C: DialectConnection>(conn: &mut C) -> QueryResult<()> {
    Sql::new(format!("UPDATE {RUN} SET id = id WHERE id = 1")).execute(conn).map(|_: usize| ())
}

/// What the table of the run holds.
// One of these at a time.
#[expect(clippy::large_enum_variant)]
pub(crate) enum Stored {
    Nothing,
    Run(Run),
    /// Written by another version of the task.
    Foreign,
}

/// The run, if there ever was one.
pub(crate) fn load<C: DialectConnection>(conn: &mut C) -> QueryResult<Stored> {
    let text = Sql::new(format!("SELECT document FROM {RUN} WHERE id = 1")).first(conn)?;
    Ok(match text.as_deref().map(serde_json::from_str::<Document<Run>>) {
        None => Stored::Nothing,
        Some(Ok(Document { version: VERSION, run })) => Stored::Run(run),
        Some(_) => Stored::Foreign,
    })
}

/// Puts the run in place of the one that is there.
pub(crate) fn save<C: DialectConnection>(conn: &mut C, run: &Run) -> QueryResult<()> {
    let document = write(&Document { version: VERSION, run })?;
    if Sql::new(format!("UPDATE {RUN} SET document = ? WHERE id = 1")).bind(&document).execute(conn)? == 0 {
        Sql::new(format!("INSERT INTO {RUN} (id, document) VALUES (1, ?)")).bind(&document).execute(conn)?;
    }
    Ok(())
}

/// The beginning of the work under a claim.
pub(crate) fn open_chunk<C: DialectConnection>(conn: &mut C, claim: ClaimNumber) -> QueryResult<()> {
    let progress = write(&Progress::default())?;
    let sql = format!("INSERT INTO {CHUNK} (claim, progress) VALUES ({claim}, ?)");
    Sql::new(sql).bind(&progress).execute(conn).map(|_: usize| ())
}

/// The end of the work under a claim, whose last words are returned. Whoever still writes under it is refused.
pub(crate) fn close_chunk<C: DialectConnection>(conn: &mut C, claim: ClaimNumber) -> QueryResult<Option<Progress>> {
    // First the lock: the holder may be about to write.
    Sql::new(format!("UPDATE {CHUNK} SET claim = claim WHERE claim = {claim}")).execute(conn)?;
    let progress = Sql::new(format!("SELECT progress FROM {CHUNK} WHERE claim = {claim}")).first(conn)?;
    Sql::new(format!("DELETE FROM {CHUNK} WHERE claim = {claim}")).execute(conn)?;
    // What cannot be read is done again.
    Ok(progress.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Forgets all claims, for a new run.
pub(crate) fn close_chunks<C: DialectConnection>(conn: &mut C) -> QueryResult<()> {
    Sql::new(format!("DELETE FROM {CHUNK}")).execute(conn).map(|_: usize| ())
}

/// Records bad values, each once.
pub(crate) fn record<C: DialectConnection>(conn: &mut C, problems: &[Problem]) -> QueryResult<()> {
    for problems in problems.chunks(RECORDED_AT_ONCE) {
        let problems: BTreeMap<String, [&str; 4]> =
            problems.iter().map(|problem| (identity(problem), fields(problem))).collect();
        let marks = vec!["?"; problems.len()].join(", ");
        let delete = Sql::new(format!("DELETE FROM {PROBLEM} WHERE id IN ({marks})"));
        problems.keys().fold(delete, |sql, id| sql.bind(id)).execute(conn)?;
        let rows = vec!["(?, ?, ?, ?, ?)"; problems.len()].join(", ");
        let insert =
            Sql::new(format!("INSERT INTO {PROBLEM} (id, table_name, column_name, row_key, kind) VALUES {rows}"));
        let insert = problems
            .iter()
            .fold(insert, |sql, (id, fields)| fields.iter().fold(sql.bind(id), |sql, field| sql.bind(field)));
        insert.execute(conn)?;
    }
    Ok(())
}

/// Forgets the bad values of a column, which has been read anew.
pub(crate) fn forget<C: DialectConnection>(conn: &mut C, table: &str, column: &str) -> QueryResult<()> {
    let sql = format!("DELETE FROM {PROBLEM} WHERE table_name = ? AND column_name = ?");
    Sql::new(sql).bind(table).bind(column).execute(conn).map(|_: usize| ())
}

/// The bad values that were recorded of these columns, or of all.
pub(crate) fn problems<C: DialectConnection>(
    conn: &mut C,
    columns: Option<&[(String, &str)]>,
) -> QueryResult<Problems> {
    let condition = match columns {
        Some(columns) => vec!["(table_name = ? AND column_name = ?)"; columns.len()].join(" OR "),
        None => "1 = 1".into(),
    };
    let from = format!("FROM {PROBLEM} WHERE {condition}");
    let bind = |sql: String| {
        let columns = columns.unwrap_or_default().iter();
        columns.fold(Sql::new(sql), |sql, (table, column)| sql.bind(table).bind(column))
    };
    let listed = format!("SELECT table_name, column_name, row_key, kind {from} ORDER BY id LIMIT {LISTED}");
    let rows: Vec<Fields> = bind(listed).load(conn)?;
    let all = number(conn, bind(select_number("COUNT(*)", &from)))?;
    Ok(Problems::recorded(rows.into_iter().filter_map(problem).collect(), all).sorted())
}

/// The clock of the database.
pub(crate) fn now<C: DialectConnection>(conn: &mut C) -> QueryResult<Moment> {
    number(conn, Sql::new(select_number(C::Backend::NOW, "")))
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    version: u32,
    run: R,
}

/// Selects a whole number, as text that is the same on every database.
fn select_number(expression: &str, from: &str) -> String {
    format!("SELECT CAST({expression} AS CHAR(20)) {from}")
}

fn number<C: DialectConnection>(conn: &mut C, sql: Sql<'_>) -> QueryResult<u64> {
    let text = sql.first(conn)?;
    text.and_then(|text| text.trim().parse().ok()).ok_or(DieselError::NotFound)
}

fn problem(mut row: Fields) -> Option<Problem> {
    let (table, column, row_key, kind) = (row.take(0)?, row.take(1)?, row.take(2)?, row.take(3)?);
    Some(Problem { table, column, row: row_key, kind: ProblemKind::from_name(&kind)? })
}

fn fields(problem: &Problem) -> [&str; 4] {
    [&problem.table, &problem.column, &problem.row, problem.kind.name()]
}

/// The names and the row key of a bad value, in a length that can be a key on every database.
fn identity(problem: &Problem) -> String {
    let hash = Sha256::new().chain_update(&problem.table).chain_update([0]).chain_update(&problem.column);
    let hash = hash.chain_update([0]).chain_update(&problem.row).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn write(value: &impl Serialize) -> QueryResult<String> {
    serde_json::to_string(value).map_err(|error| DieselError::SerializationError(error.into()))
}
