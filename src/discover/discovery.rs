//! The comparison, from what is declared to what was found.

use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool};

use crate::database::catalogue::{CatalogueColumn, Relation};
use crate::database::connection::TaskConnection;
use crate::database::dialect::{CatalogueReader, Dialect, Language};
use crate::database::session::Session;
use crate::database::stop::StopHandle;
use crate::discover::finding::{Finding, FindingKind};
use crate::discover::judge;
use crate::discover::register::{Register, relation, same};
use crate::discover::sample::{Obstacle, ask, sample};
use crate::guard;
use crate::reencrypt::report::error::TaskError;
use crate::targets::{TableName, Target};

/// Compares a database with what is declared as encrypted.
///
/// See the [module](crate::discover) for what it looks at and an example.
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
    /// A comparison with nothing declared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds columns that are declared as encrypted.
    pub fn declared(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.declared.extend(targets);
        self
    }

    /// Accepts whatever is found on these columns. A column `*` stands for all of its table.
    pub fn ignore(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.ignored.extend(targets);
        self
    }

    /// How long a failing database is tried again. The default is one minute.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Looks through the catalogue and samples the columns. Writes nothing.
    ///
    /// # Errors
    ///
    /// [`TaskError::is_database`] if the database failed until the time to give up. A table that this user cannot read
    /// is no error but a [`Finding`].
    pub fn run<C: TaskConnection>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Discovered, TaskError> {
        let mut session = Session::new(pool, self.give_up_after, StopHandle::default());
        let schemas: Vec<&str> = self.declared.iter().filter_map(|target| target.table().schema()).collect();
        let mut relations = session.run(|conn| C::Backend::relations(conn, &schemas))?;
        relations.retain(|relation| !relation.is_internal());
        relations.sort_by_key(|relation| relation.name.to_string());
        let mut discovered = Discovered { findings: self.missing::<C::Backend>(&relations), ..Discovered::default() };
        let declared = Register::new::<C::Backend>(&self.declared, &relations);
        for relation in &relations {
            discovered.look_at(&mut session, relation, |name| declared.names::<C::Backend>(&relation.name, name))?;
        }
        discovered.accept::<C::Backend>(&self.ignored, &relations);
        Ok(discovered)
    }

    /// The columns that are declared and do not exist.
    fn missing<DB: Dialect>(&self, relations: &[Relation]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for target in &self.declared {
            let found = relation::<DB>(relations, target.table());
            for name in target.columns() {
                let kind = match found {
                    // Of what is no table the columns are not known.
                    Some(relation) if relation.columns.is_empty() => judge::no_table(relation),
                    Some(relation) if relation.columns.iter().any(|column| same::<DB>(&column.name, name)) => continue,
                    Some(_) => None,
                    None => {
                        Some(FindingKind::Missing { is_table: true, elsewhere: namesakes(relations, target.table()) })
                    }
                };
                let kind = kind.unwrap_or(FindingKind::Missing { is_table: false, elsewhere: Vec::new() });
                let found = finding(found.map_or(target.table(), |relation| &relation.name), name, kind);
                if !findings.contains(&found) {
                    findings.push(found);
                }
            }
        }
        findings
    }
}

/// What a [`Discovery`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "there may be findings"]
pub struct Discovered {
    /// The columns that were looked at: those that are declared, and all others that could hold tokens.
    pub columns: Vec<ColumnFound>,
    /// Where the database and what is declared do not agree, by table and column.
    pub findings: Vec<Finding>,
    /// How many findings were accepted.
    pub accepted: usize,
    /// What was to be ignored, and has nothing to ignore: `people.email`.
    pub needless: Vec<String>,
}

/// One column that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnFound {
    /// The table, with its schema.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// Whether it is declared as encrypted.
    pub declared: bool,
    /// Whether the database refuses what is not a token.
    pub guarded: bool,
    /// Values that were sampled, `NULL`s left out.
    pub sampled: u64,
    /// How many of them are tokens; of a declared column, how many set out to be.
    pub tokens: u64,
}

impl Discovered {
    /// Whether something is declared as encrypted, and everything agrees with it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.columns.iter().any(|column| column.declared)
    }

    fn look_at<C: TaskConnection>(
        &mut self,
        session: &mut Session<'_, C>,
        relation: &Relation,
        is_declared: impl Fn(&str) -> bool,
    ) -> Result<(), TaskError> {
        let may_hold_tokens =
            |column: &CatalogueColumn| relation.is_own && column.may_hold_tokens() && !column.is_generated;
        let wanted = |column: &&CatalogueColumn| may_hold_tokens(column) || is_declared(&column.name);
        let columns: Vec<&CatalogueColumn> = relation.columns.iter().filter(wanted).collect();
        let sampled: Vec<&CatalogueColumn> =
            columns.iter().copied().filter(|column| column.may_hold_tokens()).collect();
        let not_read = |reason| finding(&relation.name, "*", FindingKind::NotRead(reason));
        let counts = match sample(session, relation, &sampled) {
            Ok(counts) => Some(counts),
            Err(Obstacle::Failed(error)) => return Err(error),
            Err(Obstacle::Refused(reason)) => {
                self.findings.push(not_read(reason));
                None
            }
        };
        if relation.hides_triggers && columns.iter().any(|column| is_declared(&column.name)) {
            let reason = "this user is not shown the triggers of the table, for want of the privilege TRIGGER";
            self.findings.push(not_read(reason.into()));
        }
        let is_read = counts.is_some();
        let mut counts = counts.into_iter().flatten();
        for column in columns {
            let counts = if column.may_hold_tokens() { counts.next() } else { None }.unwrap_or_default();
            let declared = is_declared(&column.name);
            if column.form.is_none() && !declared && counts.tokens == 0 {
                continue;
            }
            let mut is_told = true;
            let guard = match is_read && column.may_be_guarded && column.form.is_some() {
                true => match ask(session, |conn| guard::of(conn, &relation.name, &column.name)) {
                    Ok(guard) => guard,
                    Err(Obstacle::Failed(error)) => return Err(error),
                    Err(Obstacle::Refused(reason)) => {
                        let found = not_read(format!("whether its columns have guards cannot be told: {reason}"));
                        if !self.findings.contains(&found) {
                            self.findings.push(found);
                        }
                        is_told = false;
                        None
                    }
                },
                false => None,
            };
            let mut kinds = match declared {
                // Let it be read first.
                _ if !is_read => Vec::new(),
                true => judge::declared(relation, C::Backend::FLAVOR, column, counts, guard),
                false => judge::other(relation, column, counts, guard),
            };
            kinds.retain(|kind| is_told || !matches!(kind, FindingKind::Unguarded { .. }));
            self.findings.extend(kinds.into_iter().map(|kind| finding(&relation.name, &column.name, kind)));
            self.columns.push(ColumnFound {
                table: relation.name.clone(),
                column: column.name.clone(),
                declared,
                guarded: guard.is_some(),
                sampled: counts.sampled,
                tokens: if declared { counts.begun } else { counts.tokens },
            });
        }
        Ok(())
    }

    /// Takes out the findings that are accepted, and puts the others in order.
    fn accept<DB: Dialect>(&mut self, ignored: &[Target], relations: &[Relation]) {
        for target in ignored {
            let register = Register::new::<DB>(std::slice::from_ref(target), relations);
            let before = self.findings.len();
            self.findings.retain(|found| {
                [&found.column, "*"].into_iter().all(|column| !register.names::<DB>(&found.table, column))
            });
            if self.findings.len() == before {
                let columns = target.columns().iter();
                self.needless.extend(columns.map(|name| format!("{}.{}", target.table(), TableName::new(name))));
            }
            self.accepted += before - self.findings.len();
        }
        self.findings.sort_by_key(|found| (found.table.to_string(), found.column.clone()));
    }
}

fn finding(table: &TableName, column: &str, kind: FindingKind) -> Finding {
    Finding { table: table.clone(), column: column.to_owned(), kind }
}

/// Tables of this name where the connection does not look for one that is named without a schema.
fn namesakes(relations: &[Relation], table: &TableName) -> Vec<TableName> {
    let names = relations.iter().map(|relation| &relation.name).filter(|_| table.schema().is_none());
    names.filter(|name| name.name() == table.name()).cloned().collect()
}
