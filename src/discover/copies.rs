//! Finds out whether a trigger copies an encrypted column. The task does not re-encrypt the copies.

use crate::database::words::words_of;
use crate::database::{Flavor, Trigger, Word};
use crate::discover::references::{Reference, harmless, is_one_of, is_row, references, without_parentheses};

/// What a trigger copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Column,
    Row,
}

/// Whether the trigger seems to copy this column of the table, or a whole row with it.
///
/// A trigger that maintains an `updated_at` copies nothing. It may therefore compare the column or the row with its
/// former value, write to the column, and return the row.
pub(crate) fn copied(trigger: &Trigger, flavor: Flavor, table: &str, column: &str) -> Option<Copied> {
    if trigger.arguments.iter().any(|argument| argument.eq_ignore_ascii_case(column)) {
        return Some(Copied::Column);
    }
    let mut readings = trigger.second_reading.iter().chain([&trigger.definition]);
    readings.find_map(|definition| copied_by(definition, trigger, flavor, table, column))
}

/// The same for one reading of the definition.
fn copied_by(definition: &str, trigger: &Trigger, flavor: Flavor, table: &str, column: &str) -> Option<Copied> {
    let Some(words) = words_of(flavor, definition) else {
        // A definition with an unknown form may copy anything.
        let is_mentioned = definition.to_ascii_lowercase().contains(&column.to_ascii_lowercase());
        return Some(if is_mentioned { Copied::Column } else { Copied::Row });
    };
    if trigger.is_foreign {
        let mentions = |word: &Word| word.names(column) || word.literal().is_some_and(|text| text == column);
        return words.iter().any(mentions).then_some(Copied::Column);
    }
    let body = trigger.body_after.and_then(|keyword| words.iter().position(|word| word.is(keyword)));
    let words = without_parentheses(&words[body.unwrap_or(0)..]);
    let harmless = harmless(&words);
    let mut copied = None;
    for row in references(&words, 0, words.len()) {
        if harmless.contains(&row.position) {
            continue;
        }
        match row.column {
            None if !is_left_out(&words, row, column) => copied = copied.or(Some(Copied::Row)),
            Some(name) if name.names(column) => return Some(Copied::Column),
            _ => {}
        }
    }
    copied.or_else(|| selected(&words, trigger, table, column))
}

/// Whether the expression removes the column from the row: `to_jsonb(NEW) - 'email'`, `… - ARRAY['email', 'phone']`.
fn is_left_out(words: &[Word<'_>], row: Reference<'_>, column: &str) -> bool {
    let is = |at: usize, sign: &str| words.get(at).is_some_and(|word| word.is(sign));
    let mut start = row.position;
    let mut end = row.position + if is(row.position + 1, ".") { 3 } else { 1 };
    // The row may be in one function and in plain parentheses. A second function may move the column to another place.
    let mut is_called = false;
    while is(end, ")") && start > 0 && is(start - 1, "(") {
        start -= 1;
        end += 1;
        let name = start.checked_sub(1).and_then(|before| words[before].name());
        if name.is_some() && std::mem::replace(&mut is_called, true) {
            return false;
        }
        start -= usize::from(name.is_some());
        end = after_cast(words, end);
    }
    while is(end, "-") {
        let (items, after) = keys(words, end + 1);
        if items.iter().any(|item| item == column) {
            return true;
        }
        end = after;
    }
    false
}

/// The keys in a list or a literal, and the position after it.
fn keys(words: &[Word<'_>], start: usize) -> (Vec<String>, usize) {
    let is_array = words.get(start).is_some_and(|word| word.is("array"));
    let is_of_list = |word: &&Word| word.literal().is_some() || is_one_of(word, &["array", "[", ","]);
    let length = if is_array { words[start..].iter().take_while(is_of_list).count() } else { 1 };
    let end = words.len().min(start + length);
    let literals = words[start.min(end)..end].iter().filter_map(Word::literal);
    let keys = literals.flat_map(|literal| match literal.strip_prefix('{').and_then(|list| list.strip_suffix('}')) {
        Some(list) if !is_array => list.split(',').map(|item| item.trim().to_owned()).collect(),
        _ => vec![literal],
    });
    let keys = keys.collect();
    (keys, after_cast(words, end + usize::from(is_array)))
}

/// The position after a cast such as `::jsonb` or `::text[]`, if there is one.
fn after_cast(words: &[Word<'_>], start: usize) -> usize {
    if !words.get(start).is_some_and(|word| word.is("::")) {
        return start;
    }
    let brackets = words[start..].iter().skip(2).take_while(|word| is_one_of(word, &["[", "]"])).count();
    start + 2 + brackets
}

/// The columns that the trigger selects from the table itself, or from its transition tables.
fn selected(words: &[Word<'_>], trigger: &Trigger, table: &str, column: &str) -> Option<Copied> {
    let is_source = |word: &Word| word.names(table) || trigger.transitions.iter().any(|name| word.names(name));
    if !words.iter().any(is_source) {
        return None;
    }
    let of_a_row = |position: usize| position > 1 && words[position - 1].is(".") && is_row(words, position - 2);
    let is_called = |position: usize| words.get(position + 1).is_some_and(|word| word.is("("));
    let mut positions = 0..words.len();
    if positions.clone().any(|at| words[at].names(column) && !of_a_row(at) && !is_called(at)) {
        return Some(Copied::Column);
    }
    let is_star = |at: usize| {
        let is_all = at > 0 && words[at].is("*") && is_one_of(&words[at - 1], &["select", "distinct", "all", "."]);
        is_all && !of_a_row(at) && !(at > 2 && words[at - 2].is("(") && words[at - 3].is("exists"))
    };
    positions.any(is_star).then_some(Copied::Row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str, change: impl FnOnce(&mut Trigger)) -> Option<Copied> {
        let mut trigger = trigger(body);
        change(&mut trigger);
        copied(&trigger, Flavor::Postgres, "people", "email")
    }

    fn trigger(body: &str) -> Trigger {
        Trigger { definition: body.into(), ..Trigger::default() }
    }

    #[test]
    fn what_copies_the_column() {
        for body in [
            "INSERT INTO audit VALUES (OLD.id, OLD.email)",
            "INSERT INTO audit SELECT new.\"email\"",
            "NEW.backup := NEW.email; RETURN NEW",
            "SET NEW.backup = OLD.email",
            "UPDATE copies SET email = NEW.email WHERE id = NEW.id",
            "PERFORM pg_notify('mail', (NEW).email)",
            "IF NEW.email <> OLD.email THEN INSERT INTO audit VALUES (coalesce(OLD.email, '')); END IF",
            "INSERT INTO audit SELECT email FROM people WHERE id = NEW.id",
            "SELECT p.email INTO found FROM people p WHERE p.id = NEW.id",
            "IF NEW.email = 'x' THEN RETURN NULL; END IF",
        ] {
            assert_eq!(of(body, |_| {}), Some(Copied::Column), "{body}");
        }
        assert_eq!(
            of("tsvector_update_trigger", |t| t.arguments = vec!["tsv".into(), "email".into()]),
            Some(Copied::Column)
        );
        assert_eq!(of("plpy.notice(TD[\"new\"][\"email\"])", |t| t.is_foreign = true), Some(Copied::Column));
        let transitions = |t: &mut Trigger| t.transitions = vec!["fresh".into()];
        assert_eq!(of("INSERT INTO audit SELECT id, email FROM fresh", transitions), Some(Copied::Column));
    }

    #[test]
    fn what_copies_the_row() {
        for body in [
            "INSERT INTO audit VALUES (NEW.*)",
            "INSERT INTO audit SELECT (OLD).*",
            "INSERT INTO audit VALUES (now(), to_jsonb(NEW)); RETURN NEW",
            "INSERT INTO audit VALUES (row_to_json(OLD), row(NEW), NEW::text)",
            "EXECUTE 'INSERT INTO audit SELECT ($1).*' USING NEW",
            "kept := NEW",
            "INSERT INTO audit VALUES (to_jsonb(NEW) - 'phone')",
            "INSERT INTO audit VALUES (to_jsonb(OLD), to_jsonb(NEW) - 'email')",
            "INSERT INTO audit VALUES (to_jsonb(NEW) - 'email', to_jsonb(OLD))",
            "INSERT INTO audit VALUES (to_jsonb(NEW) - 'phone', 'email')",
            "INSERT INTO audit VALUES (jsonb_build_object('row', to_jsonb(NEW)) - 'email')",
            "INSERT INTO audit VALUES (to_jsonb(NEW) || to_jsonb(OLD) - 'email')",
            "INSERT INTO audit SELECT * FROM people WHERE id = NEW.id",
            "INSERT INTO audit SELECT p.* FROM people AS p WHERE p.id = NEW.id",
            "IF to_jsonb(NEW) <> to_jsonb(OLD) THEN INSERT INTO audit VALUES (hstore(NEW) - hstore(OLD)); END IF",
        ] {
            assert_eq!(of(body, |_| {}), Some(Copied::Row), "{body}");
        }
        let transitions = |t: &mut Trigger| t.transitions = vec!["fresh".into()];
        assert_eq!(of("INSERT INTO audit SELECT * FROM fresh", transitions), Some(Copied::Row));
    }

    #[test]
    fn what_is_not_understood_copies_something() {
        for (body, expected) in [
            ("INSERT INTO audit VALUES (NEW.EMAIL); $x$ no end", Copied::Column),
            ("INSERT INTO audit SELECT copied(NEW.id); 'no end", Copied::Row),
        ] {
            assert_eq!(of(body, |_| {}), Some(expected), "{body}");
            assert_eq!(of(body, |t| t.is_foreign = true), Some(expected), "{body}");
        }
        let commented = trigger("begin # don't forget\n insert into audit values (old.email); end");
        assert_eq!(copied(&commented, Flavor::Mysql, "people", "email"), Some(Copied::Column));
    }

    #[test]
    fn what_copies_nothing() {
        for body in [
            "NEW.updated_at := now(); RETURN NEW",
            "SET NEW.updated_at = current_timestamp",
            "UPDATE people SET updated_at = current_timestamp WHERE id = NEW.id",
            "IF (NEW IS DISTINCT FROM OLD AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) THEN \
             NEW.updated_at := current_timestamp; END IF; RETURN NEW",
            "IF NEW.* IS DISTINCT FROM OLD.* THEN NEW.updated_at = now(); END IF; RETURN coalesce(NEW, OLD)",
            "IF ROW(NEW.*) IS DISTINCT FROM ROW(OLD.*) THEN NEW.v = OLD.v + 1; END IF; RETURN NEW",
            "IF to_jsonb(NEW) = to_jsonb(OLD) THEN RETURN NULL; END IF; RETURN NEW",
            "IF NEW.email IS DISTINCT FROM OLD.email THEN NEW.confirmed := false; END IF; RETURN NEW",
            "IF (NEW).email <> (OLD).email THEN NEW.confirmed := false; END IF",
            "IF NOT (NEW.email <=> OLD.email) THEN SET NEW.confirmed = 0; END IF",
            "IF coalesce(NEW.email, '') <> coalesce(OLD.email, '') THEN SET NEW.confirmed = 0; END IF",
            "IF NEW.email IS NULL OR OLD IS NULL THEN RAISE EXCEPTION 'no'; END IF",
            "SELECT raise(abort, 'fixed') WHERE NEW.email IS NOT OLD.email",
            "NEW.email := OLD.email; RETURN NEW",
            "SELECT email INTO NEW.email FROM defaults",
            "INSERT INTO log (id, email) VALUES (NEW.id, 'changed')",
            "INSERT INTO log SELECT count(*) FROM people",
            "IF EXISTS (SELECT * FROM people WHERE id = NEW.parent) THEN RETURN NEW; END IF",
            "INSERT INTO audit VALUES (to_jsonb(NEW) - 'email')",
            "INSERT INTO audit VALUES (to_jsonb(OLD) - ARRAY['phone', 'email'], to_jsonb(NEW) - '{phone, email}'::text[])",
            "INSERT INTO audit VALUES ((row_to_json(NEW)::jsonb) - 'phone' - 'email', hstore(OLD.*) - '{email}'::text[])",
            "-- NEW.email\nRAISE NOTICE 'NEW.email'",
            "INSERT INTO audit VALUES (NEW.email_domain, other.new)",
        ] {
            assert_eq!(of(body, |_| {}), None, "{body}");
        }
        assert_eq!(of("plpy.notice('x')", |t| t.is_foreign = true), None);
        let commented = trigger("begin set new.seen = 1; # don't\nend");
        assert_eq!(copied(&commented, Flavor::Mysql, "people", "email"), None);
        let transitions = |t: &mut Trigger| t.transitions = vec!["fresh".into()];
        assert_eq!(of("INSERT INTO log SELECT count(*) FROM fresh", transitions), None);
    }
}
