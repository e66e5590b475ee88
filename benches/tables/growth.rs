//! How much a rotation adds to a table and to the log of its database.

#[cfg(feature = "cli-mysql")]
mod mysql;
#[cfg(feature = "cli-postgres")]
mod postgres;
#[cfg(feature = "cli-sqlite")]
mod sqlite;

use crate::database::Database;

pub(crate) trait Growth: Database {
    /// Measures the growth and prints it.
    fn measure(url: &str);
}
