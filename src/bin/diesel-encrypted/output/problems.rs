//! Problems: values that a run could not change.

use diesel_encrypted::reencrypt::{Problem, RecordedProblems};
use serde::Serialize;

use super::{document, line, rfc3339, table};
use crate::exit::{Exit, Failure};
use crate::notes;

/// Prints the recorded problems. There is a JSON document even if nothing was ever recorded.
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
    notes::info(json, "ended", advice(&recorded));
    Ok(if recorded.problems.is_empty() { Exit::Proven } else { Exit::BadValues })
}

fn advice(recorded: &RecordedProblems) -> String {
    let all = recorded.problems.len() as u64 + recorded.omitted;
    let found = match all {
        0 => "no problem is recorded".to_owned(),
        1 => "1 problem is recorded".to_owned(),
        _ => format!("{all} problems are recorded"),
    };
    let listed = match recorded.omitted {
        0 => String::new(),
        omitted => format!(", but {omitted} of them are not listed"),
    };
    let state = match recorded.moment.and_then(rfc3339) {
        Some(moment) if all == 0 => format!("The last run read every value at {moment}."),
        Some(moment) => {
            format!("The last run read every value at {moment}. Values that you have fixed since are still listed.")
        }
        None => {
            "The last run did not end, so there may be more. Run its command (`diesel-encrypted reencrypt`, `encrypt` \
                 or `decrypt`) again."
                .into()
        }
    };
    format!("{found}{listed}. {state}")
}

/// The problems as a table.
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
