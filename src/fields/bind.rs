//! The bind parameter of the field types: it can be stored, not compared.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, AsExpression, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, SqlType};

use crate::fields::adopting::Adopting;
use crate::fields::column::{PlainColumn, TokenColumn};
use crate::fields::encrypted::Encrypted;
use crate::fields::leaving::Leaving;
use crate::fields::plaintext::Plaintext;

/// A bind parameter that may be inserted and assigned. Diesel's own parameter also implements [`ValidGrouping`], which
/// `filter` and the other comparisons ask for and `values` and `set` do not: leaving it out refuses the comparison.
#[derive(Debug, Clone, Copy)]
pub struct EncryptedBind<ST, U> {
    item: U,
    sql_type: PhantomData<ST>,
}

/// No type implements this: it only carries what the compiler says when an encrypted value is compared in SQL.
#[diagnostic::on_unimplemented(
    message = "an encrypted value cannot be compared in SQL",
    label = "this can never match a token: two encryptions of the same value differ",
    note = "an `Encrypted<_>`, `Adopting<_>` or `Leaving<_>` can be stored (`insert_into(..).values(..)`, `update(..).set(..)`) and loaded",
    note = "to find rows by an encrypted value, keep a keyed hash of it in a second column and compare that"
)]
pub trait ComparableInSql {}

/// The columns in which a field type can be stored.
macro_rules! stored_in {
    ($($column:ident: $($field:ty),+;)+) => {$($(
        impl<T: Plaintext, ST: $column> AsExpression<ST> for $field {
            type Expression = EncryptedBind<ST, Self>;

            fn as_expression(self) -> Self::Expression {
                EncryptedBind { item: self, sql_type: PhantomData }
            }
        }
    )+)+};
}

// `&&`: for `#[derive(Insertable)]` on a struct that borrows its fields.
stored_in! {
    TokenColumn: Encrypted<T>, &Encrypted<T>, &&Encrypted<T>;
    TokenColumn: Adopting<T>, &Adopting<T>, &&Adopting<T>;
    PlainColumn: Leaving<T>, &Leaving<T>, &&Leaving<T>; // plaintext: never in a column that is declared as encrypted
}

impl<ST: SqlType + TypedExpressionType, U> Expression for EncryptedBind<ST, U> {
    type SqlType = ST;
}

impl<ST, U, DB> QueryFragment<DB> for EncryptedBind<ST, U>
where
    DB: Backend + HasSqlType<ST>,
    U: ToSql<ST, DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_bind_param(&self.item)
    }
}

impl<ST: QueryId, U> QueryId for EncryptedBind<ST, U> {
    type QueryId = EncryptedBind<ST::QueryId, ()>;

    const HAS_STATIC_QUERY_ID: bool = ST::HAS_STATIC_QUERY_ID;
}

impl<ST, U, QS> AppearsOnTable<QS> for EncryptedBind<ST, U> where Self: Expression {}

impl<ST, U, QS> SelectableExpression<QS> for EncryptedBind<ST, U> where Self: AppearsOnTable<QS> {}

impl<ST, U, GB> ValidGrouping<GB> for EncryptedBind<ST, U>
where
    Self: ComparableInSql,
{
    type IsAggregate = is_aggregate::Never;
}
