//! Targets from Diesel's `table!` types.

use std::any::TypeId;

use diesel::query_builder::QueryFragment;
use diesel::query_source::{Column, Table};
use diesel::sql_types::Nullable;

use crate::fields::column::TokenColumn;
use crate::fields::sql_types::{EncryptedBinary, EncryptedText};
use crate::keys::debug_is_display;
use crate::targets::{TableName, Target};

/// The backend that writes the name of a table. Any backend works, because each of them writes the quoted name.
#[cfg(feature = "postgres")]
type AnyBackend = diesel::pg::Pg;
#[cfg(all(feature = "mysql", not(feature = "postgres")))]
type AnyBackend = diesel::mysql::Mysql;
#[cfg(all(feature = "sqlite", not(any(feature = "postgres", feature = "mysql"))))]
type AnyBackend = diesel::sqlite::Sqlite;

impl Target {
    /// All columns of a table that are declared as [`EncryptedText`], [`EncryptedBinary`] or arrays of one, nullable or not.
    ///
    /// This includes columns that you declare later. A column that is declared as plain `Text` or `Binary` is not
    /// included: name it with [`Target::column`].
    ///
    /// # Errors
    ///
    /// [`UnsuitableTable`] if there is no such column.
    ///
    /// ```
    /// diesel::table! {
    ///     use diesel::sql_types::*;
    ///     use diesel_encrypted::sql_types::*;
    ///
    ///     users (id) {
    ///         id -> BigInt,
    ///         name -> Text,
    ///         email -> EncryptedText,
    ///         photo -> Nullable<EncryptedBinary>,
    ///     }
    /// }
    ///
    /// let target = diesel_encrypted::Target::of(users::table)?;
    /// assert_eq!(target.columns(), ["email", "photo"]);
    /// # Ok::<(), diesel_encrypted::UnsuitableTable>(())
    /// ```
    pub fn of<T: TableNames>(table: T) -> Result<Self, UnsuitableTable>
    where
        T::AllColumns: ColumnTuple,
    {
        let mut columns = Vec::new();
        for (name, sql_type) in T::AllColumns::columns() {
            if tokens().contains(&sql_type) || arrays_of_tokens().contains(&sql_type) {
                columns.push(name.to_owned());
            }
        }
        if columns.is_empty() {
            return Err(UnsuitableTable { table: table.name() });
        }
        Ok(Self { table: table.name(), columns })
    }

    /// A single column, even one that is declared as plain `Text` or `Binary`.
    ///
    /// A column that cannot hold a token does not compile.
    ///
    /// ```
    /// # diesel::table! { users (id) { id -> BigInt, email -> Text, } }
    /// let target = diesel_encrypted::Target::column(users::email);
    /// assert_eq!(target.table().to_string(), "users");
    /// ```
    ///
    /// ```compile_fail,E0277
    /// # diesel::table! { users (id) { id -> BigInt, email -> Text, } }
    /// let target = diesel_encrypted::Target::column(users::id);
    /// ```
    pub fn column<C: Column>(_column: C) -> Self
    where
        C::SqlType: TokenColumn,
        C::Table: TableNames + Default,
    {
        Self { table: C::Table::default().name(), columns: vec![C::NAME.to_owned()] }
    }
}

/// A table that knows its name, as every table of Diesel's `table!` does.
pub trait TableNames: Table {
    /// The name, with the schema if one is declared.
    fn name(&self) -> TableName;
}

impl<T: Table + QueryFragment<AnyBackend>> TableNames for T {
    fn name(&self) -> TableName {
        let mut builder = <AnyBackend as diesel::backend::Backend>::QueryBuilder::default();
        // Invariant: the SQL of a `table!` is a plain identifier, which every backend can write.
        #[expect(clippy::expect_used)]
        self.to_sql(&mut builder, &AnyBackend::default()).expect("a table is a quoted name");
        let sql = diesel::query_builder::QueryBuilder::<AnyBackend>::finish(builder);
        let quote = &sql[..1];
        let unquote = |name: &str| name.replace(&quote.repeat(2), quote);
        let inner = &sql[1..sql.len() - 1];
        match inner.split_once(&format!("{quote}.{quote}")) {
            Some((schema, name)) => TableName::in_schema(unquote(schema), unquote(name)),
            None => TableName::new(unquote(inner)),
        }
    }
}

/// A tuple of columns, such as the `all_columns` of a `table!`. This trait is sealed.
pub trait ColumnTuple: sealed::Sealed {
    /// The name and the SQL type of each column.
    fn columns() -> Vec<(&'static str, TypeId)>;
}

/// The table has no encrypted column.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsuitableTable {
    table: TableName,
}

impl std::fmt::Display for UnsuitableTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} has no encrypted column: declare one as `EncryptedText` or `EncryptedBinary` in the schema, or name a plain \
             `Text` or `Binary` column with `Target::column`",
            self.table
        )
    }
}

impl std::error::Error for UnsuitableTable {}

debug_is_display!(UnsuitableTable);

mod sealed {
    pub trait Sealed {}
}

fn tokens() -> [TypeId; 4] {
    [
        TypeId::of::<EncryptedText>(),
        TypeId::of::<Nullable<EncryptedText>>(),
        TypeId::of::<EncryptedBinary>(),
        TypeId::of::<Nullable<EncryptedBinary>>(),
    ]
}

#[cfg(feature = "postgres")]
fn arrays_of_tokens() -> Vec<TypeId> {
    use diesel::sql_types::Array;
    fn arrays<ST>() -> [TypeId; 4]
    where
        ST: diesel::sql_types::SqlType<IsNull = diesel::sql_types::is_nullable::NotNull> + 'static,
    {
        [
            TypeId::of::<Array<ST>>(),
            TypeId::of::<Array<Nullable<ST>>>(),
            TypeId::of::<Nullable<Array<ST>>>(),
            TypeId::of::<Nullable<Array<Nullable<ST>>>>(),
        ]
    }
    [arrays::<EncryptedText>(), arrays::<EncryptedBinary>()].concat()
}

#[cfg(not(feature = "postgres"))]
fn arrays_of_tokens() -> Vec<TypeId> {
    Vec::new()
}

/// Implements `ColumnTuple` for tuples of 1 to 128 columns, the maximum in Diesel.
macro_rules! column_tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Column, $($rest: Column),*> sealed::Sealed for ($first, $($rest,)*) {}
        impl<$first: Column, $($rest: Column),*> ColumnTuple for ($first, $($rest,)*)
        where
            $first::SqlType: 'static,
            $($rest::SqlType: 'static),*
        {
            fn columns() -> Vec<(&'static str, TypeId)> {
                vec![
                    ($first::NAME, TypeId::of::<$first::SqlType>()),
                    $(($rest::NAME, TypeId::of::<$rest::SqlType>())),*
                ]
            }
        }
        column_tuples!($($rest)*);
    };
    () => {};
}

column_tuples! {
    C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23 C24 C25 C26 C27 C28 C29 C30
    C31 C32 C33 C34 C35 C36 C37 C38 C39 C40 C41 C42 C43 C44 C45 C46 C47 C48 C49 C50 C51 C52 C53 C54 C55 C56 C57 C58
    C59 C60 C61 C62 C63 C64 C65 C66 C67 C68 C69 C70 C71 C72 C73 C74 C75 C76 C77 C78 C79 C80 C81 C82 C83 C84 C85 C86
    C87 C88 C89 C90 C91 C92 C93 C94 C95 C96 C97 C98 C99 C100 C101 C102 C103 C104 C105 C106 C107 C108 C109 C110 C111
    C112 C113 C114 C115 C116 C117 C118 C119 C120 C121 C122 C123 C124 C125 C126 C127 C128
}

#[cfg(test)]
mod tests {
    use super::*;

    diesel::table! {
        use diesel::sql_types::*;
        use crate::fields::sql_types::*;

        #[sql_name = "od\"d.name"]
        app.users (id) {
            id -> BigInt,
            #[sql_name = "E Mail"]
            email -> EncryptedText,
            phone -> Nullable<EncryptedText>,
            photo -> EncryptedBinary,
            scan -> Nullable<EncryptedBinary>,
            note -> Text,
        }
    }

    diesel::table! {
        plain (id) {
            id -> BigInt,
            secret -> Nullable<Binary>,
        }
    }

    #[test]
    fn finds_the_encrypted_columns_of_a_table() {
        let target = Target::of(users::table).unwrap();
        assert_eq!(*target.table(), TableName::in_schema("app", "od\"d.name"));
        assert_eq!(target.columns(), ["E Mail", "phone", "photo", "scan"]);
        let error = Target::of(plain::table).unwrap_err().to_string();
        assert!(error.starts_with("plain has no encrypted column: "), "{error}");
        assert_eq!(*Target::column(plain::secret).table(), TableName::new("plain"));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn finds_arrays_of_tokens() {
        diesel::table! {
            use diesel::sql_types::*;
            use crate::fields::sql_types::*;

            posts (id) {
                id -> BigInt,
                author -> EncryptedText,
                tags -> Array<Nullable<EncryptedText>>,
            }
        }
        assert_eq!(Target::of(posts::table).unwrap().columns(), ["author", "tags"]);
    }
}
