//! Names in SQL.

use diesel::backend::Backend;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use crate::database::dialect::Language;
use crate::targets::TableName;

/// A name in the quotes of this database.
pub(crate) fn quoted<DB: Language>(name: &str) -> String {
    let quote = DB::QUOTE;
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

/// The name of a table, with its schema if there is one.
pub(crate) fn quoted_table<DB: Language>(table: &TableName) -> String {
    let schema = table.schema().map(|schema| quoted::<DB>(schema) + ".");
    schema.unwrap_or_default() + &quoted::<DB>(table.name())
}

/// A text as a literal of standard SQL.
#[cfg(feature = "sqlite")]
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Calls `each` for every item, and pushes `separator` between the items.
pub(crate) fn push_all<'b, DB: Backend, T>(
    items: impl IntoIterator<Item = T>,
    separator: &str,
    out: &mut AstPass<'_, 'b, DB>,
    mut each: impl FnMut(T, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push_sql(separator);
        }
        each(item, out)?;
    }
    Ok(())
}

/// Pushes `sql`, and calls `push_value` in place of every `VALUE`.
pub(crate) fn push_filled<DB: Backend>(
    sql: &str,
    out: &mut AstPass<'_, '_, DB>,
    push_value: impl Fn(&mut AstPass<'_, '_, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    for (index, part) in sql.split("VALUE").enumerate() {
        if index > 0 {
            push_value(out)?;
        }
        out.push_sql(part);
    }
    Ok(())
}

/// Pushes `t."name"`. The name is always qualified, so that it never means an output alias.
pub(crate) fn push_column<DB: Backend>(name: &str, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    out.push_sql("t.");
    out.push_identifier(name)
}

/// Pushes the name of a table, with its schema if there is one.
pub(crate) fn push_table<DB: Backend>(table: &TableName, out: &mut AstPass<'_, '_, DB>) -> QueryResult<()> {
    if let Some(schema) = table.schema() {
        out.push_identifier(schema)?;
        out.push_sql(".");
    }
    out.push_identifier(table.name())
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use diesel::mysql::Mysql;
    use diesel::pg::Pg;

    use super::*;

    #[test]
    fn quotes() {
        let odd = TableName::in_schema("a.b", "c\"d`e");
        assert_eq!(quoted_table::<Pg>(&odd), r#""a.b"."c""d`e""#);
        assert_eq!(quoted_table::<Mysql>(&TableName::new("c\"d`e")), "`c\"d``e`");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
