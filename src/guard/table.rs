//! The columns to guard, with their names in the catalogue.

use crate::fields::Form;
use crate::guard::names;
use crate::guard::refusal::GuardRefusal;
use crate::targets::{TableName, printable};

/// A table with columns that have no guard yet.
pub struct Table {
    /// The name, with the schema in which the table was found.
    pub(crate) name: TableName,
    /// The name that the caller gave.
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

    /// `public.users.email, public.users.phone`, for a comment in SQL: a line break in a name must not end it.
    pub(crate) fn places(&self) -> String {
        let places: Vec<String> = self.columns.iter().map(|column| self.place(column)).collect();
        printable(&places.join(", ")).to_string()
    }

    /// The refusal of a column, for this reason.
    pub(crate) fn unsuitable(&self, column: &Column, reason: String) -> GuardRefusal {
        GuardRefusal::UnsuitableColumn { table: self.name.clone(), column: column.name.clone(), reason }
    }

    /// The refusal of an online guard, for this reason. If a column is the reason, it is named.
    pub(crate) fn not_online(&self, column: Option<&Column>, reason: String) -> GuardRefusal {
        let column = column.map(|column| column.name.clone());
        GuardRefusal::NotOnline { table: self.name.clone(), column, reason }
    }

    /// The refusal of a domain by a database that has none.
    pub(crate) fn without_domains(&self) -> GuardRefusal {
        GuardRefusal::NoDomains { table: self.name.clone() }
    }

    /// The name in a migration. It has a schema only if the caller named one, because a schema of MySQL is a database,
    /// whose name differs between servers.
    pub(crate) fn written(&self) -> TableName {
        if self.named.schema().is_some() { self.name.clone() } else { TableName::new(self.name.name()) }
    }

    /// The parts of the migration's name: the schema if the caller named one, the table, and the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let table = self.named.schema().into_iter().chain([self.name.name()]);
        table.chain(self.columns.iter().map(|column| column.name.as_str()))
    }
}
