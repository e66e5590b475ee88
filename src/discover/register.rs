//! Finds the relation and the column that a name refers to.

use crate::database::{Dialect, Relation};
use crate::targets::{TableName, Target};

/// The schema that SQLite's names omit.
const MAIN: &str = "main";

/// Targets, each with the full name of its table if the table exists.
pub(crate) struct Register<'t>(Vec<(&'t TableName, &'t [String])>);

impl<'t> Register<'t> {
    pub(crate) fn new<DB: Dialect>(targets: &'t [Target], relations: &'t [Relation]) -> Self {
        let entry = |target: &'t Target| {
            let found = relation::<DB>(relations, target.table()).map_or(target.table(), |relation| &relation.name);
            (found, target.columns())
        };
        Self(targets.iter().map(entry).collect())
    }

    /// Whether a target names the column.
    pub(crate) fn names<DB: Dialect>(&self, table: &TableName, column: &str) -> bool {
        let mut of_table = self.0.iter().filter(|(name, _)| *name == table);
        of_table.any(|(_, columns)| columns.iter().any(|name| same::<DB>(name, column)))
    }
}

/// The relation that a name refers to.
pub(crate) fn relation<'r, DB: Dialect>(relations: &'r [Relation], name: &TableName) -> Option<&'r Relation> {
    let is_it = |relation: &Relation, same: fn(&str, &str) -> bool| {
        let in_schema = match name.schema() {
            Some(schema) => same(relation.name.schema().unwrap_or(MAIN), schema),
            None => relation.is_in_reach,
        };
        in_schema && same(relation.name.name(), name.name())
    };
    // An exact match comes first, because two names that differ only in case may both exist.
    let exactly: fn(&str, &str) -> bool = |a, b| a == b;
    [exactly, same::<DB>].into_iter().find_map(|same| relations.iter().find(|relation| is_it(relation, same)))
}

/// Whether two names are the same to the database.
pub(crate) fn same<DB: Dialect>(a: &str, b: &str) -> bool {
    if DB::FOLDS_CASE { a.eq_ignore_ascii_case(b) } else { a == b }
}
