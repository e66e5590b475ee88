//! The obstacles to turning a column of SQLite into tokens, or back.

use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use crate::database::quote::{quoted, quoted_table};
use crate::database::sqlite::catalogue::{MAIN, create_table};
use crate::database::words::{closing, words};
use crate::database::{Conn, Conversion, PlannedColumn, PlannedTable, Sql, Word};
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::sqlite::BEGINS_IN_EITHER_FORM;
use crate::targets::TableName;

impl Conversion for Sqlite {
    fn ties<C: Conn<Self>>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>> {
        let schema = table.name.schema().unwrap_or(MAIN);
        let sql = create_table(conn, schema, table.name.name())?;
        let generated = sql.as_deref().map(generated).unwrap_or_default();
        let foreign_keys = FOREIGN_KEYS.replace("sqlite_master", &format!("{}.sqlite_master", quoted::<Self>(schema)));
        let mut ties = Vec::new();
        for column in &table.columns {
            let depend =
                generated.iter().filter(|(_, names)| names.iter().any(|name| column.name.eq_ignore_ascii_case(name)));
            ties.extend(depend.map(|(name, _)| format!("the column {name}, which is generated from it")));
            let (name, column) = (table.name.name(), &*column.name);
            let sql = Sql::new(&*foreign_keys).bind(schema).bind(name).bind(column).bind(name).bind(column);
            ties.extend(sql.bind(name).bind(schema).bind(column).column(conn)?);
        }
        ties.dedup();
        Ok(ties)
    }

    fn has_tokens<C: Conn<Self>>(conn: &mut C, table: &TableName, column: &PlannedColumn) -> QueryResult<bool> {
        let value = format!("CAST({} AS BLOB)", quoted::<Self>(&column.name));
        let begins = filled(BEGINS_IN_EITHER_FORM, &value);
        let sql = format!("SELECT '1' FROM {} WHERE {begins} LIMIT 1", quoted_table::<Self>(table));
        Ok(Sql::new(sql).first(conn)?.is_some())
    }

    /// Returns `None`, because columns have no limits.
    fn longest_plaintext<C: Conn<Self>>(_: &mut C, _: &TableName, _: &PlannedColumn) -> QueryResult<Option<u64>> {
        Ok(None)
    }
}

/// The generated columns of a `CREATE TABLE`, each with the names in its expression.
fn generated(sql: &str) -> Vec<(String, Vec<String>)> {
    let words = words(sql).unwrap_or_default();
    let mut depth = 0;
    let mut column = None;
    let mut found = Vec::new();
    for (position, word) in words.iter().enumerate() {
        match word.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 1 && matches!(word.text, "(" | ",") {
            column = words.get(position + 1).and_then(Word::name);
        }
        // `name type GENERATED ALWAYS AS (…)`. The two words before AS are optional.
        let expression = words.get(position + 1).filter(|next| depth == 1 && word.is("as") && next.is("("));
        let end = expression.and_then(|_| closing(&words, position + 1));
        if let (Some(column), Some(end)) = (&column, end) {
            found.push((column.clone(), words[position + 2..end].iter().filter_map(Word::name).collect()));
        }
    }
    found
}

/// A foreign key that names no column refers to the primary key.
const FOREIGN_KEYS: &str = "\
    SELECT DISTINCT 'the foreign key of ' || m.name || ' to ' || f.\"table\" \
    FROM sqlite_master AS m, pragma_foreign_key_list(m.name, ?) AS f \
    WHERE m.type = 'table' AND ( \
        m.name = ? COLLATE NOCASE AND f.\"from\" = ? COLLATE NOCASE \
        OR f.\"table\" = ? COLLATE NOCASE AND ( \
            f.\"to\" = ? COLLATE NOCASE \
            OR f.\"to\" IS NULL AND EXISTS ( \
                SELECT 1 FROM pragma_table_info(?, ?) AS c WHERE c.pk > 0 AND c.name = ? COLLATE NOCASE)))";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_generated_columns() {
        let sql = r#"CREATE TABLE "odd (name" ( -- as (comment)
            id integer primary key, "E Mail" text check (length("E Mail") > 0), note text default ('as (x)'),
            first text GENERATED ALWAYS AS (upper("E Mail") || ', ' || note) STORED,
            [last] AS (lower(note, (1 + 2))) , /* as (id) */ n int DEFAULT (1), CONSTRAINT c CHECK (cast(id as text) <> '')
        ) STRICT"#;
        let expected = [("first", vec!["upper", "E Mail", "note"]), ("last", vec!["lower", "note"])];
        let expected = expected.map(|(name, names)| (name.to_owned(), names.into_iter().map(str::to_owned).collect()));
        assert_eq!(generated(sql), expected);
        assert_eq!(generated("CREATE TABLE t (a, b)"), []);
    }
}
