//! Statements on the task's own tables, written once for the three databases: every value in and out is text.

use diesel::RunQueryDsl;
use diesel::deserialize::{self, QueryableByName};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::{Field, NamedRow};
use diesel::sql_types::Untyped;

use crate::database::connection::DialectConnection;
use crate::database::dialect::Dialect;

/// A statement with a `?` for each of its parameters, on every database.
pub(crate) struct Sql<'a> {
    text: String,
    values: Vec<&'a str>,
}

/// A row of a result.
pub(crate) struct Fields(Vec<Option<String>>);

impl<'a> Sql<'a> {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// The next parameter.
    pub(crate) fn bind(mut self, value: &'a str) -> Self {
        self.values.push(value);
        self
    }

    /// The first field of the first row, if there is one and it is not `NULL`.
    pub(crate) fn first<C: DialectConnection>(self, conn: &mut C) -> QueryResult<Option<String>> {
        let rows: Vec<Fields> = self.load(conn)?;
        Ok(rows.into_iter().next().and_then(|mut row| row.take(0)))
    }

    /// The first field of each row, where it is not `NULL`.
    pub(crate) fn column<C: DialectConnection>(self, conn: &mut C) -> QueryResult<Vec<String>> {
        let rows: Vec<Fields> = self.load(conn)?;
        Ok(rows.into_iter().filter_map(|mut row| row.take(0)).collect())
    }
}

impl Fields {
    /// The field at this position, once.
    pub(crate) fn take(&mut self, position: usize) -> Option<String> {
        self.0.get_mut(position).and_then(Option::take)
    }
}

impl IntoIterator for Fields {
    type Item = Option<String>;
    type IntoIter = std::vec::IntoIter<Option<String>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<DB: Dialect> QueryFragment<DB> for Sql<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Numbers are written into the text: kept, these statements would fill the cache.
        out.unsafe_to_cache_prepared();
        let mut values = self.values.iter();
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for part in parts {
            match values.next() {
                Some(value) => DB::push_text(value, &mut out)?,
                // One of a name that is part of the text.
                None => out.push_sql("?"),
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

impl Query for Sql<'_> {
    type SqlType = Untyped;
}

impl QueryId for Sql<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for Sql<'_> {}

impl<DB: Dialect> QueryableByName<DB> for Fields {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let field = |index: usize| -> deserialize::Result<Option<String>> {
            let Some(field) = diesel::row::Row::get(row, index) else { return Ok(None) };
            field.value().map(DB::read_text).transpose()
        };
        (0..row.field_count()).map(field).collect::<Result<_, _>>().map(Self)
    }
}
