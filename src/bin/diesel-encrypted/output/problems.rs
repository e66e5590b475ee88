//! Values that could not be brought under the primary key.

use diesel_encrypted::reencrypt::{Problem, RecordedProblems};
use serde::Serialize;

use super::{document, line, rfc3339, table};
use crate::exit::{Exit, Failure};
use crate::notes;

/// The values that are on record. There is a document also where there is no record.
pub(crate) fn problems(recorded: Result<RecordedProblems, Failure>, json: bool) -> Result<Exit, Failure> {
    if json && recorded.as_ref().err().is_none_or(Failure::has_document) {
        let recorded = recorded.as_ref().ok();
        document(&ProblemsDocument {
            recorded: recorded.is_some(),
            moment: recorded.and_then(|recorded| rfc3339(recorded.moment?)),
            problems: recorded.map_or(&[], |recorded| &recorded.problems),
            problems_omitted: recorded.map_or(0, |recorded| recorded.omitted),
        })?;
    }
    let recorded = recorded?;
    if !json && !recorded.problems.is_empty() {
        line(problem_table(&recorded.problems))?;
    }
    notes::tell(json, "ended", advice(&recorded));
    Ok(if recorded.problems.is_empty() { Exit::Proven } else { Exit::BadValues })
}

fn advice(recorded: &RecordedProblems) -> String {
    let all = recorded.problems.len() as u64 + recorded.omitted;
    let found = match (all, recorded.omitted) {
        (0, _) => "no value is on record".to_owned(),
        (1, _) => "1 value is on record".to_owned(),
        (_, 0) => format!("{all} values are on record"),
        (_, omitted) => format!("{all} values are on record, of which {omitted} are not listed"),
    };
    match recorded.moment.and_then(rfc3339) {
        Some(moment) => format!("{found} since everything was read at {moment}; those mended since are still listed"),
        None => {
            format!("{found}; the last run did not end, so there may be more: run `diesel-encrypted reencrypt` again")
        }
    }
}

/// The problems as people see them.
pub(super) fn problem_table<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let rows = problems.into_iter().map(|problem| {
        vec![format!("{}.{}", problem.table, problem.column), problem.row.clone(), problem.kind.to_string()]
    });
    table(&["column", "row", "problem"], rows)
}

#[derive(Serialize)]
struct ProblemsDocument<'a> {
    recorded: bool,
    moment: Option<String>,
    problems: &'a [Problem],
    problems_omitted: u64,
}
