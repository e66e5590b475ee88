//! The columns to guard, with their names in the catalogue.

use crate::fields::Form;
use crate::guard::names;
use crate::guard::refusal::GuardRefusal;
use crate::targets::TableName;

/// A table with columns that have no guard yet.
pub struct Table {
    /// With the schema in which it was found.
    pub(crate) name: TableName,
    /// As the caller named it.
    pub(crate) named: TableName,
    pub(crate) columns: Vec<Column>,
}

/// A column that can hold tokens.
pub struct Column {
    pub(crate) name: String,
    pub(crate) form: Form,
}

impl Table {
    /// `public.users.email`
    pub(crate) fn place(&self, column: &Column) -> String {
        names::place(&self.name, &column.name)
    }

    /// `public.users.email, public.users.phone`
    pub(crate) fn places(&self) -> String {
        self.columns.iter().map(|column| self.place(column)).collect::<Vec<_>>().join(", ")
    }

    /// The refusal of a column, for this reason.
    pub(crate) fn unsuitable(&self, column: &Column, reason: String) -> GuardRefusal {
        GuardRefusal::UnsuitableColumn { table: self.name.clone(), column: column.name.clone(), reason }
    }

    /// The refusal of an online guard, for this reason, which may be in a column.
    pub(crate) fn not_online(&self, column: Option<&Column>, reason: String) -> GuardRefusal {
        let column = column.map(|column| column.name.clone());
        GuardRefusal::NotOnline { table: self.name.clone(), column, reason }
    }

    /// The name in a migration. MySQL's schema is the database, whose name differs between servers, so a schema appears
    /// only if the caller named one.
    pub(crate) fn written(&self) -> TableName {
        if self.named.schema().is_some() { self.name.clone() } else { TableName::new(self.name.name()) }
    }

    /// The names in the name of its migration: the table, with the schema if the caller named one, and the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let table = self.named.schema().into_iter().chain([self.name.name()]);
        table.chain(self.columns.iter().map(|column| column.name.as_str()))
    }
}
