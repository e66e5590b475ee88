//! The selected columns: named one by one, or all that the schema file declares.

use std::path::Path;

use diesel_encrypted::{SchemaFileError, Target, printable};

use crate::cli::ReadArgs;
use crate::exit::{Exit, Failure};
use crate::remedy::argument;

/// The columns that the arguments select.
pub(crate) fn find(args: &ReadArgs) -> Result<Vec<Target>, Failure> {
    if args.columns.is_empty() {
        declared(args.schema.as_deref(), "no column is selected", "--schema PATH or --column TABLE.COLUMN")
    } else {
        Ok(args.columns.clone())
    }
}

/// All columns that the schema file declares as encrypted.
pub(crate) fn declared_in(schema: Option<&Path>) -> Result<Vec<Target>, Failure> {
    declared(schema, "there is no schema file to compare with", "--schema PATH")
}

/// The declared columns. If there is no schema file, the failure names its `effect` and the `options` that help.
fn declared(schema: Option<&Path>, effect: &str, options: &str) -> Result<Vec<Target>, Failure> {
    read(schema).map_err(|error| match no_schema_file(&error) {
        Some(reason) => Failure::refused(format!("{effect}, because {reason}. Pass {options}.")),
        None => error.into(),
    })
}

fn read(schema: Option<&Path>) -> Result<Vec<Target>, SchemaFileError> {
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

/// Why no schema file was found, if that is the error.
fn no_schema_file(error: &SchemaFileError) -> Option<String> {
    match error {
        SchemaFileError::NoDieselToml => Some("there is no diesel.toml in this folder or above".into()),
        SchemaFileError::NoSchemaFile { path } => Some(format!("{} names no schema file", path.display())),
        _ => None,
    }
}

/// Checks that `--write-plaintext` names every selected column, and no other.
pub(crate) fn confirm(targets: &[Target], confirmed: &[Target]) -> Result<(), Failure> {
    let selected = names(targets);
    let confirmed = names(confirmed);
    let missing: Vec<&str> = selected.iter().filter(|column| !confirmed.contains(column)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Failure::refused(format!(
            "`decrypt` would write plaintext into {} without your confirmation. Add --write-plaintext {}, or \
                 select fewer columns with --column.",
            printable(&missing.join(", ")),
            missing.iter().map(|column| argument(column)).collect::<Vec<_>>().join(" --write-plaintext ")
        )));
    }
    match confirmed.iter().find(|column| !selected.contains(column)) {
        Some(column) => Err(Failure::refused(format!(
            "--write-plaintext names {}, which is not one of the selected columns. Add --column {}, or remove the \
             option.",
            printable(column),
            argument(column)
        ))),
        None => Ok(()),
    }
}

/// Every column as `TABLE.COLUMN`.
fn names(targets: &[Target]) -> Vec<String> {
    let names = targets.iter().flat_map(|target| {
        let table = target.table();
        target.columns().iter().map(move |column| format!("{table}.{column}"))
    });
    names.collect()
}

impl From<SchemaFileError> for Failure {
    fn from(error: SchemaFileError) -> Self {
        let is_refused = matches!(error, SchemaFileError::NoDieselToml | SchemaFileError::NoSchemaFile { .. });
        Self::new(if is_refused { Exit::Refused } else { Exit::Usage }, error.to_string())
    }
}
