//! Statements in which every value is text, and the connections that run them. They are the same for the three
//! databases.

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::connection::{Connection, LoadConnection};
use diesel::deserialize::{self, QueryableByName};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::row::{Field, NamedRow};
use diesel::sql_types::Untyped;

use crate::fields::TokenBackend;

/// A connection to a database of this backend.
pub trait Conn<DB: Backend>: Connection<Backend = DB> + LoadConnection {}

impl<DB: Backend, C: Connection<Backend = DB> + LoadConnection> Conn<DB> for C {}

/// Lets Diesel run a statement whose text is known only at run time. Diesel caches it by its text, if at all.
macro_rules! runtime_statement {
    ($statement:ty) => {
        impl diesel::query_builder::Query for $statement {
            type SqlType = diesel::sql_types::Untyped;
        }

        impl diesel::query_builder::QueryId for $statement {
            type QueryId = ();

            const HAS_STATIC_QUERY_ID: bool = false;
        }

        impl<C> diesel::RunQueryDsl<C> for $statement {}
    };
}
pub(crate) use runtime_statement;

/// How statements send texts, and how rows return them.
pub trait TextRows: TokenBackend + QueryMetadata<Untyped> + 'static {
    fn push_text<'b>(text: &'b &'b str, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>;

    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String>;
}

/// A connection that runs [`Sql`].
pub(crate) trait TextConnection: Connection<Backend: TextRows> + LoadConnection {}

impl<C: Connection<Backend: TextRows> + LoadConnection> TextConnection for C {}

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

    /// Binds the next parameter.
    pub(crate) fn bind(mut self, value: &'a str) -> Self {
        self.values.push(value);
        self
    }

    /// The first field of the first row, if there is one and it is not `NULL`.
    pub(crate) fn first<C: TextConnection>(self, conn: &mut C) -> QueryResult<Option<String>> {
        let rows: Vec<Fields> = self.load(conn)?;
        Ok(rows.into_iter().next().and_then(|mut row| row.take(0)))
    }

    /// The first field of the first row, as a whole number.
    pub(crate) fn number<C: TextConnection>(self, conn: &mut C) -> QueryResult<u64> {
        let text = self.first(conn)?;
        text.and_then(|text| text.trim().parse().ok()).ok_or(diesel::result::Error::NotFound)
    }

    /// Rows of `N` texts. `NULL` is an empty text.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn texts<C: TextConnection, const N: usize>(self, conn: &mut C) -> QueryResult<Vec<[String; N]>> {
        let rows: Vec<Fields> = self.load(conn)?;
        let texts = |mut row: Fields| std::array::from_fn(|position| row.take(position).unwrap_or_default());
        Ok(rows.into_iter().map(texts).collect())
    }

    /// The first field of each row, where it is not `NULL`.
    pub(crate) fn column<C: TextConnection>(self, conn: &mut C) -> QueryResult<Vec<String>> {
        let rows: Vec<Fields> = self.load(conn)?;
        Ok(rows.into_iter().filter_map(|mut row| row.take(0)).collect())
    }
}

impl Fields {
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

impl<DB: TextRows> QueryFragment<DB> for Sql<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // The texts contain numbers, so these statements would fill the cache.
        out.unsafe_to_cache_prepared();
        let mut values = self.values.iter();
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for part in parts {
            match values.next() {
                Some(value) => DB::push_text(value, &mut out)?,
                // This `?` is part of a name in the text.
                None => out.push_sql("?"),
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

runtime_statement!(Sql<'_>);

impl<DB: TextRows> QueryableByName<DB> for Fields {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let field = |index: usize| -> deserialize::Result<Option<String>> {
            let Some(field) = diesel::row::Row::get(row, index) else { return Ok(None) };
            field.value().map(DB::read_text).transpose()
        };
        (0..row.field_count()).map(field).collect::<Result<_, _>>().map(Self)
    }
}
