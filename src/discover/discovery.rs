//! The comparison, from what is declared to what was found.

use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

use super::catalogue::{Column, Discoverable, IndexKey, Relation};
use super::copies::{Copied, copied};
use super::finding::{Finding, FindingKind};
use super::register::{Register, relation, same};
use super::sample::{Counts, Obstacle, sample};
use crate::guard::{self, GuardKind};
use crate::reencrypt::{Session, StopHandle, TaskError};
use crate::target::{TableName, Target};
use crate::words::{Flavor, words_of};

/// Compares a database with what is declared as encrypted.
///
/// See the [module](super) for what it looks at and an example.
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
    pub fn run<C>(self, pool: &Pool<ConnectionManager<C>>) -> Result<Discovered, TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Discoverable,
    {
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
    fn missing<DB: Discoverable>(&self, relations: &[Relation]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for target in &self.declared {
            let found = relation::<DB>(relations, target.table());
            for name in target.columns() {
                let table = match found {
                    // Of what is no table at all the columns are not known.
                    Some(relation) if relation.other.is_some() && relation.columns.is_empty() => {
                        let kind = wrong_relation(relation);
                        findings.extend(kind.map(|kind| finding(&relation.name, name, kind)));
                        continue;
                    }
                    Some(relation) if relation.columns.iter().any(|column| same::<DB>(&column.name, name)) => continue,
                    Some(relation) => &relation.name,
                    None => target.table(),
                };
                let namesakes = relations.iter().map(|relation| &relation.name);
                let elsewhere = namesakes.filter(|name| found.is_none() && name.name() == target.table().name());
                let elsewhere = elsewhere.filter(|_| target.table().schema().is_none()).cloned().collect();
                let missing = finding(table, name, FindingKind::Missing { is_table: found.is_none(), elsewhere });
                if !findings.contains(&missing) {
                    findings.push(missing);
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

    fn look_at<C>(
        &mut self,
        session: &mut Session<'_, C>,
        relation: &Relation,
        is_declared: impl Fn(&str) -> bool,
    ) -> Result<(), TaskError>
    where
        C: R2D2Connection + LoadConnection + 'static,
        C::Backend: Discoverable,
    {
        let wanted = |column: &&Column| {
            let may_hold_tokens = relation.is_own && column.form.is_some() && !column.is_generated;
            may_hold_tokens || is_declared(&column.name)
        };
        let columns: Vec<&Column> = relation.columns.iter().filter(wanted).collect();
        let has_declared = columns.iter().any(|column| is_declared(&column.name));
        let (sampled, rest): (Vec<&Column>, Vec<&Column>) =
            columns.into_iter().partition(|column| column.form.is_some());
        let mut not_read = |reason| self.findings.push(finding(&relation.name, "*", FindingKind::NotRead(reason)));
        let counts = match sample(session, relation, &sampled) {
            Ok(counts) => counts,
            Err(Obstacle::Failed(error)) => return Err(error),
            Err(Obstacle::Refused(reason)) => {
                not_read(reason);
                vec![Counts::default(); sampled.len()]
            }
        };
        if has_declared && relation.hides_triggers {
            not_read("this user is not shown the triggers of the table, for want of the privilege TRIGGER".into());
        }
        let rest = rest.into_iter().map(|column| (column, Counts::default()));
        for (column, counts) in sampled.into_iter().zip(counts).chain(rest) {
            let declared = is_declared(&column.name);
            let guard = match column.may_be_guarded {
                true => session.run(|conn| guard::of(conn, &relation.name, &column.name))?,
                false => None,
            };
            let kinds = match declared {
                true => of_declared(relation, C::Backend::FLAVOR, column, counts, guard),
                false => of_other(relation, column, counts, guard.is_some()),
            };
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
    fn accept<DB: Discoverable>(&mut self, ignored: &[Target], relations: &[Relation]) {
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

/// What is wrong with a column that is declared.
fn of_declared(
    relation: &Relation,
    flavor: Flavor,
    column: &Column,
    counts: Counts,
    guard: Option<GuardKind>,
) -> Vec<FindingKind> {
    let wrong = |reason: String| vec![FindingKind::WrongType(reason)];
    if let Some(kind) = wrong_relation(relation) {
        return vec![kind];
    }
    if column.is_generated {
        return wrong("the database generates it".into());
    }
    if column.form.is_none() || column.is_array {
        let what = if column.is_array { "an array, which cannot be rewritten" } else { "which does not hold tokens" };
        return wrong(format!("its type is {}, {what}", column.type_name));
    }
    let mut kinds = Vec::new();
    if matches!(guard, None | Some(GuardKind::UnvalidatedCheck)) {
        kinds.push(FindingKind::Unguarded { is_unvalidated: guard.is_some() });
    }
    if counts.sampled > counts.begun {
        let values = counts.sampled - counts.begun;
        kinds.push(FindingKind::Plaintext { values, sampled: counts.sampled });
    }
    kinds.extend(too_short(column, counts));
    let is_key = |key: &IndexKey| match key {
        IndexKey::Column(name) => *name == column.name,
        IndexKey::Expression(expression) => {
            let words = words_of(flavor, expression).unwrap_or_default();
            words.iter().any(|word| word.names(&column.name))
        }
    };
    let indexes = relation.indexes.iter().filter(|index| index.keys.iter().any(is_key));
    kinds.extend(indexes.map(|index| {
        let (index, is_unique) = (index.name.clone(), index.is_unique);
        FindingKind::UselessIndex { index, is_unique }
    }));
    kinds.extend(relation.triggers.iter().filter_map(|trigger| {
        let copied = copied(trigger, flavor, relation.name.name(), &column.name)?;
        Some(FindingKind::Trigger { trigger: trigger.name.clone(), whole_row: copied == Copied::Row })
    }));
    kinds
}

/// What is wrong with a column that is not declared: that it is not.
fn of_other(relation: &Relation, column: &Column, counts: Counts, is_guarded: bool) -> Vec<FindingKind> {
    let Some(form) = column.form.filter(|_| counts.tokens > 0 || is_guarded) else { return Vec::new() };
    let within = match column.is_array {
        true => Some("an array".to_owned()),
        false => relation.other.clone(),
    };
    vec![FindingKind::Undeclared { tokens: counts.tokens, sampled: counts.sampled, form, within }]
}

fn wrong_relation(relation: &Relation) -> Option<FindingKind> {
    relation.other.as_ref().map(|what| FindingKind::WrongType(format!("what holds it is {what}")))
}

/// Whether the column is shorter than the shortest token, than one that it has cut off, or than that of its longest
/// plaintext.
fn too_short(column: &Column, counts: Counts) -> Option<FindingKind> {
    let limit = column.limit?;
    let longer_than =
        |length: u64| (0..).map(|blocks| column.token_len(16 * blocks) as u64).find(|token| *token > length);
    let cut = (counts.cut > 0).then(|| longer_than(limit)).flatten();
    let longest = column.token_len(counts.longest) as u64;
    let token = longest.max(column.shortest() as u64).max(cut.unwrap_or(0));
    (token > limit).then_some(FindingKind::TooShort { limit, needed: token + 1, cut: counts.cut })
}
