//! Whether the database agrees with the schema file.

use diesel_encrypted::discover::{ColumnFound, Discovered, Finding, FindingRemedy};
use diesel_encrypted::printable;
use serde::Serialize;

use super::{count, document, line, table};
use crate::exit::{Exit, Failure};
use crate::notes;
use crate::remedy::argument;

/// Prints the findings. There is a JSON document even if no column is declared.
pub(crate) fn discovery(discovered: Result<Discovered, Failure>, json: bool) -> Result<Exit, Failure> {
    let checked = discovered.and_then(|discovered| match needless(&discovered) {
        Some(failure) => Err(failure),
        None => Ok(discovered),
    });
    if json && checked.as_ref().err().is_none_or(Failure::has_document) {
        document(&DiscoveryDocument::new(&checked))?;
    }
    let discovered = checked?;
    let findings = &discovered.findings;
    if !json {
        let shown = discovered
            .columns
            .iter()
            .filter(|column| column.declared || column.guarded || column.tokens + column.misshapen > 0);
        line(table(&HEAD, shown.map(row)))?;
        for (index, finding) in findings.iter().enumerate() {
            let before = if index == 0 { "\n" } else { "" };
            let (place, kind, detail) = (finding.place(), &finding.kind, finding.detail());
            let found = format!("{place}: {kind}: {detail}. Next: {}.", advice(finding));
            line(format_args!("{before}{}", printable(&found)))?;
        }
    }
    if !findings.is_empty() {
        let found = count(findings.len() as u64, "finding");
        notes::info(json, "ended", format_args!("{found}: {}", summary(&discovered)));
        Ok(Exit::BadValues)
    } else if discovered.is_clean() {
        notes::info(json, "ended", format_args!("clean: {}", summary(&discovered)));
        Ok(Exit::Proven)
    } else {
        Err(nothing_declared(&discovered))
    }
}

/// What to do about a finding, with the commands and options of this program.
fn advice(finding: &Finding) -> String {
    let place = argument(&finding.place());
    finding.advice_with(|remedy| match remedy {
        FindingRemedy::Encrypt => format!("`diesel-encrypted encrypt --column {place}`"),
        FindingRemedy::Guard => format!("`diesel-encrypted migration guard {place}`"),
        FindingRemedy::Ignore => format!("`--ignore {place}`"),
        other => other.to_string(),
    })
}

/// Refuses an `--ignore` without a finding, because it would hide the next one.
fn needless(discovered: &Discovered) -> Option<Failure> {
    if discovered.needless.is_empty() {
        return None;
    }
    let options: Vec<String> =
        discovered.needless.iter().map(|place| format!("--ignore {}", printable(place))).collect();
    let message = format!(
        "there is no finding for {}. Remove the option, because it would hide the next finding there.",
        options.join(", ")
    );
    Some(Failure::usage(message))
}

fn nothing_declared(discovered: &Discovered) -> Failure {
    let others = match discovered.accepted {
        0 => format!("none of {} holds a token", columns(discovered)),
        1 => "--ignore accepts the only finding".into(),
        all => format!("--ignore accepts all {all} findings"),
    };
    Failure::refused(format!(
        "there is nothing to compare. The schema file declares no encrypted column, and {others}. Declare columns \
             as EncryptedText or EncryptedBinary, or name the right schema file with --schema PATH."
    ))
}

fn summary(discovered: &Discovered) -> String {
    let declared = discovered.columns.iter().filter(|column| column.declared).count();
    let accepted = match discovered.accepted {
        0 => String::new(),
        accepted => format!(", {} accepted with --ignore", count(accepted as u64, "finding")),
    };
    format!("{} checked, {declared} of them declared as encrypted{accepted}", columns(discovered))
}

fn columns(discovered: &Discovered) -> String {
    count(discovered.columns.len() as u64, "column")
}

const HEAD: [&str; 5] = ["column", "declared", "guarded", "sampled", "tokens"];

fn row(column: &ColumnFound) -> Vec<String> {
    let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    vec![
        format!("{}.{}", column.table, column.column),
        yes(column.declared),
        yes(column.guarded),
        column.sampled.to_string(),
        column.tokens.to_string(),
    ]
}

#[derive(Serialize)]
struct DiscoveryDocument<'a> {
    outcome: &'static str,
    columns: &'a [ColumnFound],
    findings: Vec<DiscoveryFinding<'a>>,
}

#[derive(Serialize)]
struct DiscoveryFinding<'a> {
    kind: String,
    table: String,
    column: &'a str,
    detail: String,
    advice: String,
}

impl<'a> DiscoveryDocument<'a> {
    fn new(discovered: &'a Result<Discovered, Failure>) -> Self {
        let outcome = match discovered {
            Ok(discovered) if discovered.is_clean() => "clean",
            Ok(discovered) if !discovered.findings.is_empty() => "findings",
            Ok(_) => Exit::Refused.outcome(),
            Err(failure) => failure.exit.outcome(),
        };
        let discovered = discovered.as_ref().ok();
        Self {
            outcome,
            columns: discovered.map_or(&[], |discovered| &discovered.columns),
            findings: discovered.into_iter().flat_map(|it| &it.findings).map(DiscoveryFinding::new).collect(),
        }
    }
}

impl<'a> DiscoveryFinding<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            kind: finding.kind.to_string(),
            table: finding.table.to_string(),
            column: &finding.column,
            detail: finding.detail(),
            advice: advice(finding),
        }
    }
}
