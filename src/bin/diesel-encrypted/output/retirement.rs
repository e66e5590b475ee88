//! Whether a key can be removed.

use diesel_encrypted::Keyring;
use diesel_encrypted::reencrypt::{Doubt, Retirement};
use serde::Serialize;

use super::{document, line, rfc3339, table};
use crate::exit::{Exit, Failure};
use crate::notes;
use crate::remedy::after_doubt;

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
    notes::info(json, "ended", advice(&retirement, exit));
    let doubt = retirement.status.doubt.as_ref();
    doubt.and_then(after_doubt).into_iter().for_each(|next| notes::info(json, "ended", next));
    Ok(exit)
}

fn exit(retirement: &Retirement) -> Exit {
    if retirement.status.stopped {
        Exit::Stopped
    } else if retirement.is_proven() {
        Exit::Proven
    } else {
        Exit::NotProven
    }
}

/// Whether you can remove the key, and what to do next.
fn advice(retirement: &Retirement, exit: Exit) -> String {
    let key = retirement.key;
    match exit {
        Exit::Proven => {
            let unreadable = match retirement.unreadable() {
                0 => String::new(),
                1 => ", and 1 value opens under no key".into(),
                values => format!(", and {values} values open under no key"),
            };
            let meanwhile = if unreadable.is_empty() { "" } else { ", or may need it to repair those values" };
            format!(
                "yes{unreadable}: you can remove {key} from the keyring once no application encrypts with it. Store the \
                 key for as long as you keep older backups{meanwhile}."
            )
        }
        Exit::Stopped => "stopped on request. Nothing is proven. Run the command again.".into(),
        _ => match retirement.values() {
            0 => format!("not proven. Keep {key} in the keyring, and run the command again."),
            values if values == misshapen(retirement) => format!(
                "no: {values} of the values hold a token under {key} in a wrong shape, which `diesel-encrypted reencrypt` \
                 does not rewrite. Store these tokens alone, then re-encrypt, and run this command again."
            ),
            values => format!(
                "no: {} under {key}. Run `diesel-encrypted reencrypt`, then run this command again.",
                if values == 1 { "1 value is".into() } else { format!("{values} values are") }
            ),
        },
    }
}

/// The values that hold a token under the key in a wrong shape.
fn misshapen(retirement: &Retirement) -> u64 {
    let keys = retirement.status.columns.iter().flat_map(|column| &column.keys);
    keys.filter(|key| key.fingerprint == retirement.key).map(|key| key.misshapen).sum()
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
