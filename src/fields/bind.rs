//! The bind parameter of the field types. You can store it but not compare it.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, AsExpression, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{HasSqlType, SqlType};

use crate::fields::accident::{ComparableInSql, TakesPlaintext};
use crate::fields::adopting::Adopting;
use crate::fields::column::{PlainColumn, TokenColumn};
use crate::fields::encrypted::Encrypted;
use crate::fields::leaving::Leaving;
use crate::fields::plaintext::Encode;
use crate::fields::sql_types::{EncryptedBinary, EncryptedText};

/// A bind parameter that you can insert and assign, but not compare.
///
/// `filter` and the other comparisons require [`ValidGrouping`]; `values` and `set` do not. Diesel's own parameter
/// implements it. This one does not, so that a comparison does not compile.
#[derive(Debug, Clone, Copy)]
pub struct EncryptedBind<ST, U> {
    item: U,
    sql_type: PhantomData<ST>,
}

/// Declares the columns in which a field type can be stored.
macro_rules! stored_in {
    ($($column:ident: $($field:ty),+;)+) => {$($(
        impl<T: Encode, ST: $column> AsExpression<ST> for $field {
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

/// Gives the compiler a message about an `Option` of plaintext, which Diesel binds to any column. Diesel itself refuses
/// plaintext without an `Option`, with a message that no other crate can change.
macro_rules! plaintext {
    ($($type:ty),+ $(,)?) => {$(
        plaintext!(@$type, EncryptedText);
        plaintext!(@$type, EncryptedBinary);
    )+};
    (@$type:ty, $sql_type:ty) => {
        impl<DB: Backend + TakesPlaintext> ToSql<$sql_type, DB> for $type {
            fn to_sql<'b>(&'b self, _out: &mut Output<'b, '_, DB>) -> serialize::Result {
                Err("an encrypted column does not take plaintext".into())
            }
        }
    };
}

plaintext! {
    str, String, [u8], Vec<u8>, bool, char, f32, f64,
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize,
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
