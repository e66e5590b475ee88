//! Samples each column, and counts the tokens among the values.

use std::time::{SystemTime, UNIX_EPOCH};

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::database::failure::without_secrets;
use crate::database::quote::{push_all, push_column, push_table};
use crate::database::sql::runtime_statement;
use crate::database::{CatalogueColumn, Dialect, ErrorClass, Fields, Relation, Session, TaskConnection};
use crate::discover::error::DiscoverError;
use crate::keys::Token;
use crate::keys::fernet::held::{is_unpadded_len, seems_to_hold};

/// The number of rows from each end of a table.
const END: usize = 100;
/// The number of rows to search for values if a column is `NULL` at both ends.
const SPARSE: usize = 100_000;
/// The number of columns in a statement, so that its result stays small.
const WIDTH: usize = 100;
/// The time before which Fernet did not exist. Binary data with an older date only looks like a token.
const BEFORE_FERNET: u64 = 1_262_304_000; // 2010
/// The numbers of characters after a token in a wrong shape: padding, a line break, or padding as in a URL.
const AFTER: [usize; 5] = [0, 1, 2, 3, 6];
/// The most that the clocks of two machines may differ.
const A_DAY: u64 = 86_400;

/// Counts of the sampled values of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The number of values, without `NULL`s.
    pub(crate) sampled: u64,
    /// The number of values that begin as a token does.
    pub(crate) begun: u64,
    /// The number of values that are certainly tokens.
    pub(crate) tokens: u64,
    /// The number of values that hold a token in a wrong shape.
    pub(crate) misshapen: u64,
    /// The number of truncated tokens. They begin as a token does, and are as long as the column.
    pub(crate) cut: u64,
    /// The length of the longest value that does not begin as a token does.
    pub(crate) longest: usize,
}

/// Why there is no sample.
pub(crate) enum Obstacle {
    /// This user cannot read the table, for the reason that the server gives.
    Refused(String),
    Failed(DiscoverError),
}

pub(crate) fn sample<C: TaskConnection>(
    session: &mut Session<'_, C>,
    relation: &Relation,
    columns: &[&CatalogueColumn],
) -> Result<Vec<Counts>, Obstacle> {
    let mut all = Vec::with_capacity(columns.len());
    for columns in columns.chunks(WIDTH) {
        let mut counts = vec![Counts::default(); columns.len()];
        let parts: &[Part] = if relation.key.is_empty() { &[Part::Any] } else { &[Part::Start, Part::End] };
        let mut has_more = true;
        for part in parts {
            if has_more {
                let sample = Sample { relation, columns, part: *part };
                has_more = sample.count(sample.read(session)?, &mut counts) == part.limit();
            }
        }
        for (column, counts) in columns.iter().zip(&mut counts).filter(|(_, counts)| has_more && counts.sampled == 0) {
            let sample = Sample { relation, columns: std::slice::from_ref(column), part: Part::Sparse };
            sample.count(sample.read(session)?, std::slice::from_mut(counts));
        }
        all.extend(counts);
    }
    Ok(all)
}

/// Runs a query that the database may refuse to this user.
pub(crate) fn ask<C: TaskConnection, T>(
    session: &mut Session<'_, C>,
    query: impl Fn(&mut C) -> QueryResult<T>,
) -> Result<T, Obstacle> {
    match session.once(&query).map_err(|failure| Obstacle::Failed(failure.into()))? {
        Ok(answer) => Ok(answer),
        // The connection works, and nobody locks the table, so the server refuses this user.
        Err(error)
            if session.is_connected() && !matches!(session.class(&error), ErrorClass::Lock | ErrorClass::Unknown) =>
        {
            Err(Obstacle::Refused(without_secrets(error)))
        }
        Err(_) => session.run(query).map_err(|failure| Obstacle::Failed(failure.into())),
    }
}

impl Counts {
    /// Adds a value of this length. A value that begins as a token does comes with its `head`, and one that has such a
    /// beginning inside with what follows it.
    fn add(&mut self, length: usize, head: Option<&[u8]>, inside: Option<&[u8]>, limit: Option<u64>, now: u64) {
        self.sampled += 1;
        let is_whole = head.is_some_and(|head| Token::date_by_head(head, length).is_some());
        let begins = head.is_some_and(Token::looks_like_one);
        let is_cut = begins && limit == Some(length as u64);
        // What begins as a token does may be a part of one, which nobody can read.
        let is_complete = !begins || AFTER.iter().any(|after| length.checked_sub(*after).is_some_and(is_unpadded_len));
        let is_misshapen = !is_whole && !is_cut && is_complete && inside.is_some_and(seems_to_hold);
        self.misshapen += u64::from(is_misshapen);
        let Some(head) = head.filter(|head| Token::looks_like_one(head)) else {
            self.longest = self.longest.max(length);
            return;
        };
        self.begun += 1;
        match Token::date_by_head(head, length) {
            Some(date) => self.tokens += u64::from((BEFORE_FERNET..=now + A_DAY).contains(&date)),
            None => self.cut += u64::from(limit == Some(length as u64)),
        }
    }
}

/// The rows that a sample takes.
#[derive(Clone, Copy)]
enum Part {
    Start,
    End,
    Any,
    /// The rows with a value among the first [`SPARSE`] rows.
    Sparse,
}

impl Part {
    fn limit(self) -> usize {
        if matches!(self, Self::Start | Self::End) { END } else { 2 * END }
    }
}

#[derive(Clone, Copy)]
struct Sample<'a> {
    relation: &'a Relation,
    columns: &'a [&'a CatalogueColumn],
    part: Part,
}

impl Sample<'_> {
    fn read<C: TaskConnection>(&self, session: &mut Session<'_, C>) -> Result<Vec<Fields>, Obstacle> {
        ask(session, |conn| (*self).load(conn))
    }

    /// Counts the values in these rows, and returns the number of rows.
    fn count(&self, rows: Vec<Fields>, counts: &mut [Counts]) -> usize {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let length = rows.len();
        for mut row in rows {
            for (index, (column, counts)) in self.columns.iter().zip(&mut *counts).enumerate() {
                let value_length = row.take(3 * index).and_then(|length| length.parse().ok());
                let Some(value_length) = value_length else { continue };
                let [head, inside] = [1, 2].map(|at| row.take(3 * index + at).map(|digits| bytes(&digits)));
                counts.add(value_length, head.as_deref(), inside.as_deref(), column.limit, now);
            }
        }
        length
    }
}

impl<DB: Dialect> QueryFragment<DB> for Sample<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Self { relation, columns, part } = self;
        // Each statement runs only once.
        out.unsafe_to_cache_prepared();
        out.push_sql("SELECT ");
        push_all(*columns, ", ", &mut out, |column, out| DB::push_sampled(column, out))?;
        out.push_sql(" FROM ");
        let push_relation = |out: &mut AstPass<'_, 'b, DB>| {
            out.push_sql(if relation.only { "ONLY " } else { "" });
            push_table(&relation.name, out)?;
            out.push_sql(" AS t");
            QueryResult::Ok(())
        };
        match part {
            Part::Sparse => {
                out.push_sql("(SELECT ");
                push_all(*columns, ", ", &mut out, |column, out| push_column(&column.name, out))?;
                out.push_sql(" FROM ");
                push_relation(&mut out)?;
                out.push_sql(&format!(" LIMIT {SPARSE}) AS t WHERE "));
                push_all(*columns, " OR ", &mut out, |column, out| {
                    push_column(&column.name, out)?;
                    out.push_sql(" IS NOT NULL");
                    Ok(())
                })?;
            }
            Part::Any => push_relation(&mut out)?,
            Part::Start | Part::End => {
                push_relation(&mut out)?;
                out.push_sql(" ORDER BY ");
                push_all(&relation.key, ", ", &mut out, |key, out| {
                    push_column(key, out)?;
                    out.push_sql(if matches!(part, Part::End) { " DESC" } else { "" });
                    Ok(())
                })?;
            }
        }
        out.push_sql(&format!(" LIMIT {}", part.limit()));
        Ok(())
    }
}

runtime_statement!(Sample<'_>);

/// The bytes of hexadecimal digits, up to the first invalid pair.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len() / 2).map(|index| digits.get(2 * index..2 * index + 2));
    pairs.map_while(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::fernet::iv::Iv;
    use crate::keys::fernet::token::{Cipher, raw_token_len};
    use crate::keys::key::Key;

    const NOW: u64 = 1_800_000_000;

    fn counts(date: u64, length: usize, change: impl Fn(&mut Vec<u8>), limit: Option<u64>) -> Vec<Counts> {
        let sealed = || Cipher::new(&Key::generate()).seal_at(&vec![7; length], date, Iv::random());
        [sealed().into_raw(), sealed().into_text().into_bytes()]
            .into_iter()
            .map(|mut value| {
                change(&mut value);
                let mut counts = Counts::default();
                let head = &value[..value.len().min(Token::KNOWN_BY)];
                counts.add(value.len(), Some(head), Some(&value), limit, NOW);
                counts
            })
            .collect()
    }

    #[test]
    fn a_token_has_the_shape_and_a_date_of_one() {
        let is_one = Counts { sampled: 1, begun: 1, tokens: 1, ..Counts::default() };
        for length in (0..200).chain([730, 745, 1000, 5000, 5001, 70_000]) {
            assert_eq!(counts(NOW, length, |_| {}, None), [is_one; 2], "{length}");
        }
        let is_none = Counts { tokens: 0, ..is_one };
        for date in [0, BEFORE_FERNET - 1, NOW + A_DAY + 1, 4_000_000_000] {
            assert_eq!(counts(date, 10, |_| {}, None), [is_none; 2], "{date}");
        }
        for length in [0, 700, 1000, 5000] {
            let changed = counts(NOW, length, |value| value.truncate(value.len() - 1), None);
            // The text is complete without its padding.
            let is_padded = raw_token_len(length) % 3 > 0;
            assert_eq!(changed, [is_none, Counts { misshapen: u64::from(is_padded), ..is_none }], "{length}");
        }
    }

    #[test]
    fn an_incomplete_token_that_fills_its_column_is_truncated() {
        let cut = |limit: u64| counts(NOW, 50, |value| value.truncate(100), Some(limit));
        assert_eq!([cut(100), cut(101)].map(|counts| counts.iter().map(|counts| counts.cut).sum::<u64>()), [2, 0]);
        assert!(counts(NOW, 0, |_| {}, Some(100)).iter().all(|counts| counts.cut == 0));
    }

    #[test]
    fn plaintext_is_counted_by_its_length() {
        let mut counts = Counts::default();
        for (length, head) in [(3, None), (20, Some("Hello".as_bytes())), (5, None)] {
            counts.add(length, head, None, Some(20), NOW);
        }
        assert_eq!(counts, Counts { sampled: 3, longest: 20, ..Counts::default() });
        assert_eq!(bytes("00ffA0"), [0, 255, 160]);
    }
}
