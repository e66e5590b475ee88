//! Which tables and columns a task works on.

#[cfg(feature = "schema-file")]
pub(crate) mod schema_file;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub(crate) mod table;
pub(crate) mod target;

#[cfg(feature = "schema-file")]
pub use schema_file::SchemaFileError;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub use table::{ColumnTuple, TableNames, UnsuitableTable};
pub use target::{InvalidTarget, TableName, Target};
