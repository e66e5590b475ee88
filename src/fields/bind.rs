//! The bind parameter of the field types. You can store it but not compare it.

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

/// A bind parameter that you can insert and assign, but not compare.
///
/// `filter` and the other comparisons require [`ValidGrouping`]; `values` and `set` do not. Diesel's own parameter
/// implements it. This one does not, so that a comparison does not compile.
#[derive(Debug, Clone, Copy)]
pub struct EncryptedBind<ST, U> {
    item: U,
    sql_type: PhantomData<ST>,
}

/// No type implements this trait. It carries the compiler's message about an encrypted value that is compared in SQL.
#[diagnostic::on_unimplemented(
    message = "an encrypted value cannot be compared in SQL",
    label = "this can never match a token: two encryptions of the same value differ",
    note = "you can store (`insert_into(..).values(..)`, `update(..).set(..)`) and load an `Encrypted<_>`, `Adopting<_>` or `Leaving<_>`",
    note = "to find rows by an encrypted value, keep a keyed hash of it in a second column and compare that"
)]
pub trait ComparableInSql {}

/// Declares the columns in which a field type can be stored.
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

// `#[derive(Insertable)]` on a struct that borrows its fields needs `&&`.
stored_in! {
    TokenColumn: Encrypted<T>, &Encrypted<T>, &&Encrypted<T>;
    TokenColumn: Adopting<T>, &Adopting<T>, &&Adopting<T>;
    PlainColumn: Leaving<T>, &Leaving<T>, &&Leaving<T>; // never plaintext in a column that is declared as encrypted
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
