//! How SQLite spells SQL.

use diesel::sqlite::Sqlite;

use crate::database::{Flavor, Language};

impl Language for Sqlite {
    const FLAVOR: Flavor = Flavor::Sqlite;
    const SCHEMES: &'static [&'static str] = &[];
    const QUOTE: char = '"';
    const FOLDS_CASE: bool = true;
    const ROW_VALUES: bool = true;
    const NOW: &'static str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
    const TEXT: &'static str = "TEXT";
}
