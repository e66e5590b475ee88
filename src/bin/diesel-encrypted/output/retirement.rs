//! Whether a key may be removed.

use diesel_encrypted::Keyring;
use diesel_encrypted::reencrypt::{Doubt, Retirement};
use serde::Serialize;

use super::{document, line, rfc3339, table};
use crate::exit::{Exit, Failure};
use crate::notes;

pub(crate) fn retirement(
    keyring: &Keyring,
    retirement: Result<Retirement, Failure>,
    json: bool,
) -> Result<Exit, Failure> {
    let exit = match &retirement {
        Ok(retirement) => exit(retirement),
        Err(failure) => failure.exit,
    };
    if json && retirement.as_ref().err().is_none_or(Failure::has_document) {
        document(&RetirementDocument::new(keyring, retirement.as_ref().ok(), exit))?;
    }
    let retirement = retirement?;
    if !json {
        let rows =
            retirement.columns().map(|(table, column, values)| vec![format!("{table}.{column}"), values.to_string()]);
        line(table(&["column", "values under the key"], rows))?;
        line(format_args!("\n{}", retirement.statement()))?;
    }
    notes::tell(json, "ended", advice(&retirement, exit));
    Ok(exit)
}

fn exit(retirement: &Retirement) -> Exit {
    match () {
        () if retirement.status.stopped => Exit::Stopped,
        () if retirement.is_proven() => Exit::Proven,
        () => Exit::NotProven,
    }
}

/// Whether it may be removed, and what to do next.
fn advice(retirement: &Retirement, exit: Exit) -> String {
    let key = retirement.key;
    match exit {
        Exit::Proven => format!(
            "yes: {key} may be removed from the keyring, once no application encrypts with it. Keep it as long as you \
             keep backups from before"
        ),
        Exit::Stopped => "stopped on request: nothing is proven; ask again".into(),
        _ if retirement.values() > 0 => {
            format!("no: values are under {key}. Run `diesel-encrypted reencrypt`, and ask again")
        }
        _ => format!("not proven: keep {key}, and ask again"),
    }
}

#[derive(Serialize)]
struct RetirementDocument<'a> {
    outcome: &'static str,
    key: Option<String>,
    primary: String,
    moment: Option<String>,
    columns: Vec<RetirementColumn<'a>>,
    doubt: Option<String>,
}

#[derive(Serialize)]
struct RetirementColumn<'a> {
    table: &'a str,
    column: &'a str,
    values: u64,
}

impl<'a> RetirementDocument<'a> {
    fn new(keyring: &Keyring, retirement: Option<&'a Retirement>, exit: Exit) -> Self {
        let columns = retirement.into_iter().flat_map(Retirement::columns);
        let status = retirement.map(|retirement| &retirement.status);
        Self {
            outcome: exit.outcome(),
            key: retirement.map(|retirement| retirement.key.to_string()),
            primary: keyring.primary().to_string(),
            moment: status.and_then(|status| rfc3339(status.moment)),
            columns: columns.map(|(table, column, values)| RetirementColumn { table, column, values }).collect(),
            doubt: status.and_then(|status| status.doubt.as_ref()).map(Doubt::to_string),
        }
    }
}
