//! Which columns: named one by one, or all that the schema declares.

use std::path::Path;

use diesel_encrypted::{SchemaFileError, Target};

use crate::cli::Walk;
use crate::exit::{Exit, Failure};

pub(crate) fn find(walk: &Walk) -> Result<Vec<Target>, Failure> {
    if !walk.columns.is_empty() {
        return Ok(walk.columns.clone());
    }
    Ok(declared(walk.schema.as_deref())?)
}

/// All that the schema file declares, for a command to which columns are not named one by one.
pub(crate) fn register(schema: Option<&Path>) -> Result<Vec<Target>, Failure> {
    declared(schema).map_err(|error| match error {
        SchemaFileError::NoDieselToml => no_schema("there is no diesel.toml in this folder or above".into()),
        SchemaFileError::NoSchemaFile { path } => no_schema(format!("{} names no schema file", path.display())),
        error => error.into(),
    })
}

fn no_schema(reason: String) -> Failure {
    Failure::new(Exit::Refused, format!("{reason}: name the one to compare with, with --schema PATH"))
}

fn declared(schema: Option<&Path>) -> Result<Vec<Target>, SchemaFileError> {
    let files = match schema {
        Some(path) => vec![path.to_owned()],
        None => Target::schema_files(std::env::current_dir().unwrap_or_default())?,
    };
    let mut targets = Vec::new();
    for file in files {
        targets.extend(Target::from_schema_file(file)?);
    }
    Ok(targets)
}

/// Refuses to write plaintext into a column that was not named for just that, and to be told of one that is not at hand.
pub(crate) fn confirm(targets: &[Target], confirmed: &[Target]) -> Result<(), Failure> {
    let columns = |targets: &[Target]| -> Vec<String> {
        let names = |target: &Target| {
            let (table, columns) = (target.table().clone(), target.columns().to_vec());
            columns.into_iter().map(move |column| format!("{table}.{column}"))
        };
        targets.iter().flat_map(names).collect()
    };
    let (wanted, confirmed) = (columns(targets), columns(confirmed));
    let missing: Vec<_> = wanted.iter().filter(|column| !confirmed.contains(column)).collect();
    if let [first, ..] = missing.as_slice() {
        let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::new(
            Exit::Refused,
            format!(
                "plaintext would be written into {names}: confirm each column with --write-plaintext {first}, or name \
                 fewer with --column"
            ),
        ));
    }
    match confirmed.iter().find(|column| !wanted.contains(column)) {
        Some(column) => Err(Failure::new(
            Exit::Refused,
            format!("--write-plaintext {column} is none of the columns at hand: name it with --column {column}, too"),
        )),
        None => Ok(()),
    }
}

impl From<SchemaFileError> for Failure {
    fn from(error: SchemaFileError) -> Self {
        match error {
            SchemaFileError::NoDieselToml | SchemaFileError::NoSchemaFile { .. } => Self::new(
                Exit::Refused,
                format!("there is nothing to work on: {error} (`--schema PATH` or `--column TABLE.COLUMN`)"),
            ),
            SchemaFileError::Array { .. } => Self::new(Exit::Refused, error.to_string()),
            _ => Self::new(Exit::Usage, error.to_string()),
        }
    }
}
