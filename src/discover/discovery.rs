//! Runs the comparison, from the declared columns to the findings.

use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::{
    CatalogueColumn, CatalogueReader, Dialect, Language, Relation, Session, StopHandle, TaskConnection,
};
use crate::discover::discovered::{ColumnFound, Discovered};
use crate::discover::error::DiscoverError;
use crate::discover::finding::{Finding, FindingKind};
use crate::discover::judge;
use crate::discover::register::{Register, relation, same};
use crate::discover::sample::{Obstacle, ask, sample};
use crate::guard;
use crate::guard::GuardKind;
use crate::targets::{TableName, Target};

/// Compares a database with the columns that are declared as encrypted.
///
/// See the [module](crate::discover) for what it reads, and for an example.
#[must_use = "nothing is compared until it is run"]
pub struct Discovery {
    declared: Vec<Target>,
    ignored: Vec<Target>,
    give_up_after: Duration,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { declared: Vec::new(), ignored: Vec::new(), give_up_after: Duration::from_secs(60) }
    }
}

impl Discovery {
    /// Creates a comparison with no declared columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds columns that are declared as encrypted.
    pub fn declared(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.declared.extend(targets);
        self
    }

    /// Accepts all findings on these columns. The column `*` stands for all columns of its table.
    pub fn ignore(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.ignored.extend(targets);
        self
    }

    /// How long to retry while the database fails. The default is one minute.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Reads the catalogue and samples the columns. Writes nothing.
    ///
    /// # Errors
    ///
    /// [`DiscoverError::is_database`] if the database kept failing until the time to give up. A table that this user
    /// cannot read is not an error but a [`Finding`].
    pub fn run<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Discovered, DiscoverError> {
        let mut session = Session::new(pool, self.give_up_after, StopHandle::default());
        let schemas: Vec<&str> = self.declared.iter().filter_map(|target| target.table().schema()).collect();
        let mut relations = session.run(|conn| C::Backend::relations(conn, &schemas))?;
        relations.retain(|relation| !relation.is_internal());
        relations.sort_by_key(|relation| relation.name.to_string());
        let mut discovered = Discovered { findings: self.missing::<C::Backend>(&relations), ..Discovered::default() };
        let declared = Register::new::<C::Backend>(&self.declared, &relations);
        for relation in &relations {
            let is_declared = |column: &str| declared.names::<C::Backend>(&relation.name, column);
            compare(&mut session, relation, is_declared, &mut discovered)?;
        }
        discovered.accept::<C::Backend>(&self.ignored, &relations);
        Ok(discovered)
    }

    /// The declared columns that do not exist.
    fn missing<DB: Dialect>(&self, relations: &[Relation]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for target in &self.declared {
            let found = relation::<DB>(relations, target.table());
            for name in target.columns() {
                let kind = match found {
                    // The catalogue lists columns only for relations that hold rows.
                    Some(relation) if relation.columns.is_empty() => judge::not_a_table(relation),
                    Some(relation) if relation.columns.iter().any(|column| same::<DB>(&column.name, name)) => continue,
                    Some(_) => None,
                    None => {
                        Some(FindingKind::Missing { is_table: true, elsewhere: namesakes(relations, target.table()) })
                    }
                };
                let kind = kind.unwrap_or(FindingKind::Missing { is_table: false, elsewhere: Vec::new() });
                let finding = Finding::new(found.map_or(target.table(), |relation| &relation.name), name, kind);
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        findings
    }
}

/// Adds the columns of a relation, and the findings on them.
fn compare<C: TaskConnection>(
    session: &mut Session<'_, C>,
    relation: &Relation,
    is_declared: impl Fn(&str) -> bool,
    discovered: &mut Discovered,
) -> Result<(), DiscoverError> {
    let is_sampled = |column: &CatalogueColumn| relation.is_own && column.may_hold_tokens() && !column.is_generated;
    let is_wanted = |column: &&CatalogueColumn| is_sampled(column) || is_declared(&column.name);
    let columns: Vec<&CatalogueColumn> = relation.columns.iter().filter(is_wanted).collect();
    let sampled: Vec<&CatalogueColumn> = columns.iter().copied().filter(|column| column.may_hold_tokens()).collect();
    let not_read = |reason| Finding::new(&relation.name, "*", FindingKind::NotRead(reason));
    let counts = match sample(session, relation, &sampled) {
        Ok(counts) => Some(counts),
        Err(Obstacle::Failed(error)) => return Err(error),
        Err(Obstacle::Refused(reason)) => {
            discovered.findings.push(not_read(reason));
            None
        }
    };
    if relation.hides_triggers && columns.iter().any(|column| is_declared(&column.name)) {
        let reason = "this user cannot see the triggers of the table without the privilege TRIGGER";
        discovered.findings.push(not_read(reason.into()));
    }
    let is_read = counts.is_some();
    let mut counts = counts.into_iter().flatten();
    for column in columns {
        let counts = if column.may_hold_tokens() { counts.next() } else { None }.unwrap_or_default();
        let declared = is_declared(&column.name);
        if column.form.is_none() && !declared && counts.tokens + counts.misshapen == 0 {
            continue;
        }
        let guard = if is_read { guard(session, relation, column)? } else { Ok(None) };
        if let Err(reason) = &guard {
            let finding = not_read(format!("this user cannot see whether its columns have guards: {reason}"));
            if !discovered.findings.contains(&finding) {
                discovered.findings.push(finding);
            }
        }
        let kind = guard.as_ref().ok().copied().flatten();
        // A table that was not read has only the finding `NotRead`.
        let mut kinds = if !is_read {
            Vec::new()
        } else if declared {
            judge::declared(relation, C::Backend::FLAVOR, column, counts, kind)
        } else {
            judge::undeclared(relation, column, counts, kind)
        };
        kinds.retain(|kind| guard.is_ok() || !matches!(kind, FindingKind::Unguarded { .. }));
        discovered.findings.extend(kinds.into_iter().map(|kind| Finding::new(&relation.name, &column.name, kind)));
        discovered.columns.push(ColumnFound {
            table: relation.name.clone(),
            column: column.name.clone(),
            declared,
            guarded: kind.is_some(),
            sampled: counts.sampled,
            tokens: if declared { counts.begun } else { counts.tokens },
            misshapen: counts.misshapen,
        });
    }
    Ok(())
}

/// The guard of a column, or the reason why the server refuses to show it.
fn guard<C: TaskConnection>(
    session: &mut Session<'_, C>,
    relation: &Relation,
    column: &CatalogueColumn,
) -> Result<Result<Option<GuardKind>, String>, DiscoverError> {
    if !column.may_be_guarded || column.form.is_none() {
        return Ok(Ok(None));
    }
    match ask(session, |conn| guard::of(conn, &relation.name, &column.name)) {
        Ok(guard) => Ok(Ok(guard)),
        Err(Obstacle::Refused(reason)) => Ok(Err(reason)),
        Err(Obstacle::Failed(error)) => Err(error),
    }
}

/// Tables of the same name in schemas that the connection does not search.
fn namesakes(relations: &[Relation], table: &TableName) -> Vec<TableName> {
    let names = relations.iter().map(|relation| &relation.name).filter(|_| table.schema().is_none());
    names.filter(|name| name.name() == table.name()).cloned().collect()
}
