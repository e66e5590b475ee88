//! The findings on a column.

use crate::database::words::words_of;
use crate::database::{CatalogueColumn, Flavor, IndexKey, Relation};
use crate::discover::copies::{Copied, copied};
use crate::discover::finding::FindingKind;
use crate::discover::sample::Counts;
use crate::fields::Form;
use crate::guard::GuardKind;

/// The findings on a declared column.
pub(crate) fn declared(
    relation: &Relation,
    flavor: Flavor,
    column: &CatalogueColumn,
    counts: Counts,
    guard: Option<GuardKind>,
) -> Vec<FindingKind> {
    let wrong = |reason: String| vec![FindingKind::WrongType(reason)];
    if let Some(kind) = not_a_table(relation) {
        return vec![kind];
    }
    if column.is_generated {
        return wrong("the database generates it".into());
    }
    if column.form.is_none() {
        return wrong(format!("its type is {}, which holds neither text nor bytes", column.type_name));
    }
    let mut kinds = Vec::new();
    if matches!(guard, None | Some(GuardKind::UnvalidatedCheck)) {
        kinds.push(FindingKind::Unguarded { is_unvalidated: guard.is_some() });
    }
    kinds.extend(misshapen(relation, column, counts));
    if counts.sampled > counts.begun {
        let values = counts.sampled - counts.begun;
        kinds.push(FindingKind::Plaintext { values, sampled: counts.sampled });
    }
    kinds.extend(too_short(column, counts));
    let is_key = |key: &IndexKey| match key {
        IndexKey::Column(name) => *name == column.name,
        IndexKey::Expression(expression) => {
            // An expression with an unknown form may use any column.
            words_of(flavor, expression).is_none_or(|words| words.iter().any(|word| word.names(&column.name)))
        }
    };
    let indexes = relation.indexes.iter().filter(|index| index.keys.iter().any(is_key));
    kinds.extend(
        indexes.map(|index| FindingKind::UselessIndex { index: index.name.clone(), is_unique: index.is_unique }),
    );
    kinds.extend(relation.triggers.iter().filter_map(|trigger| {
        let copied = copied(trigger, flavor, relation.name.name(), &column.name)?;
        Some(FindingKind::Trigger { trigger: trigger.name.clone(), whole_row: copied == Copied::Row })
    }));
    kinds
}

/// The finding that a column is not declared, if it holds tokens or has a guard.
pub(crate) fn undeclared(
    relation: &Relation,
    column: &CatalogueColumn,
    counts: Counts,
    guard: Option<GuardKind>,
) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = misshapen(relation, column, counts).into_iter().collect();
    if counts.tokens > 0 || guard.is_some() {
        let (within, form) = (within(relation, column), column.form.unwrap_or(Form::Text));
        kinds.push(FindingKind::Undeclared { tokens: counts.tokens, sampled: counts.sampled, form, within });
    }
    kinds
}

/// The finding that values hold tokens in a wrong shape.
fn misshapen(relation: &Relation, column: &CatalogueColumn, counts: Counts) -> Option<FindingKind> {
    let within = within(relation, column);
    let Counts { misshapen: values, sampled, .. } = counts;
    (values > 0).then_some(FindingKind::Misshapen { values, sampled, within })
}

/// The kind of column or relation in which a re-encryption rewrites nothing.
fn within(relation: &Relation, column: &CatalogueColumn) -> Option<String> {
    match column.form {
        None => Some(format!("a column of the type {}", column.type_name)),
        Some(_) => relation.other.clone(),
    }
}

/// The finding that a declared column does not belong to a table.
pub(crate) fn not_a_table(relation: &Relation) -> Option<FindingKind> {
    relation.other.as_ref().map(|what| FindingKind::WrongType(format!("it belongs to {what}")))
}

/// The finding that the column is too short. It must hold the shortest token, the tokens that are truncated, and the
/// token of its longest plaintext.
fn too_short(column: &CatalogueColumn, counts: Counts) -> Option<FindingKind> {
    let limit = column.limit?;
    let longer_than =
        |length: u64| (0..).map(|blocks| column.token_len(16 * blocks) as u64).find(|token| *token > length);
    let cut = (counts.cut > 0).then(|| longer_than(limit)).flatten();
    let longest = column.token_len(counts.longest) as u64;
    let token = longest.max(column.shortest() as u64).max(cut.unwrap_or(0));
    (token > limit).then_some(FindingKind::TooShort { limit, needed: token + 1, cut: counts.cut })
}
