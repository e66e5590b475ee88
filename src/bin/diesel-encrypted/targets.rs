//! Which columns: named one by one, or all that the schema declares.

use diesel_encrypted::{SchemaFileError, Target};

use crate::cli::Walk;
use crate::exit::{Exit, Failure};

pub(crate) fn find(walk: &Walk) -> Result<Vec<Target>, Failure> {
    if !walk.columns.is_empty() {
        return Ok(walk.columns.clone());
    }
    let files = match &walk.schema {
        Some(path) => vec![path.clone()],
        None => Target::schema_files(std::env::current_dir().unwrap_or_default())?,
    };
    let mut targets = Vec::new();
    for file in files {
        targets.extend(Target::from_schema_file(file)?);
    }
    Ok(targets)
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
