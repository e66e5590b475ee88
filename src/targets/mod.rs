//! The tables and columns that a task works on.

pub(crate) mod name;
pub(crate) mod printable;
#[cfg(feature = "schema-file")]
pub(crate) mod schema_file;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub(crate) mod table;
pub(crate) mod target;

pub use name::TableName;
pub(crate) use printable::Escaping;
pub use printable::printable;
#[cfg(feature = "schema-file")]
pub use schema_file::SchemaFileError;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub use table::{ColumnTuple, TableNames, UnsuitableTable};
pub use target::{InvalidTarget, Target};
