//! How PostgreSQL spells SQL.

use diesel::pg::Pg;

use crate::database::{Flavor, Language};

impl Language for Pg {
    const FLAVOR: Flavor = Flavor::Postgres;
    const SCHEMES: &'static [&'static str] = &["postgres", "postgresql"];
    const QUOTE: char = '"';
    const FOLDS_CASE: bool = false;
    const ROW_VALUES: bool = true;
    const NOW: &'static str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)";
    const TEXT: &'static str = "TEXT";
}
