//! What stands against turning a column of SQLite into tokens, or back.

use diesel::RunQueryDsl;
use diesel::connection::{Connection, LoadConnection};
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use super::super::sql::{Fields, Sql};
use super::super::table::PlannedTable;
use super::quoted;

pub(super) fn ties<C>(conn: &mut C, table: &PlannedTable) -> QueryResult<Vec<String>>
where
    C: Connection<Backend = Sqlite> + LoadConnection,
{
    let schema = table.name.schema().unwrap_or("main");
    let in_schema = |sql: &str| sql.replace("sqlite_master", &format!("{}.sqlite_master", quoted(schema)));
    let sql = Sql::new(in_schema(CREATE_TABLE)).bind(table.name.name()).first(conn)?;
    let generated = sql.as_deref().map(generated).unwrap_or_default();
    let mut ties = Vec::new();
    for column in &table.columns {
        let depend =
            generated.iter().filter(|(_, names)| names.iter().any(|name| column.name.eq_ignore_ascii_case(name)));
        ties.extend(depend.map(|(name, _)| format!("the column {name}, which is generated from it")));
        let sql = Sql::new(in_schema(FOREIGN_KEYS)).bind(schema).bind(table.name.name()).bind(&column.name);
        let rows: Vec<Fields> = sql.bind(table.name.name()).bind(&column.name).load(conn)?;
        ties.extend(rows.into_iter().filter_map(|mut row| row.take(0)));
    }
    ties.dedup();
    Ok(ties)
}

/// The generated columns of a `CREATE TABLE`, each with the names in its expression.
fn generated(sql: &str) -> Vec<(String, Vec<String>)> {
    let (mut depth, mut column, mut is_first) = (0, String::new(), false);
    let mut former = Lexeme::Other;
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut expression_depth = None;
    for lexeme in lexemes(sql) {
        match &lexeme {
            Lexeme::Name(name) if expression_depth.is_some() => {
                found.last_mut().into_iter().for_each(|(_, names)| names.push(name.clone()));
            }
            Lexeme::Name(name) if std::mem::take(&mut is_first) => column.clone_from(name),
            Lexeme::Mark('(') => {
                depth += 1;
                is_first |= depth == 1;
                // `name type GENERATED ALWAYS AS (…)`, of which the first two words may be left out.
                if depth == 2 && matches!(&former, Lexeme::Name(word) if word.eq_ignore_ascii_case("as")) {
                    found.push((column.clone(), Vec::new()));
                    expression_depth = Some(depth);
                }
            }
            Lexeme::Mark(')') => {
                expression_depth = expression_depth.filter(|inside| *inside < depth);
                depth -= 1;
            }
            Lexeme::Mark(',') if depth == 1 => is_first = true,
            _ => {}
        }
        former = lexeme;
    }
    found
}

enum Lexeme {
    /// A word, or a quoted identifier without its quotes.
    Name(String),
    Mark(char),
    /// A string, or a comment.
    Other,
}

fn lexemes(sql: &str) -> impl Iterator<Item = Lexeme> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let quoted = |end: char| rest[first.len_utf8()..].find(end).map_or(rest.len(), |at| at + first.len_utf8() + 1);
        let in_word =
            |character: char| character.is_alphanumeric() || "_$".contains(character) || !character.is_ascii();
        let length = match first {
            '"' | '`' | '\'' => quoted(first),
            '[' => quoted(']'),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |at| at + 4),
            _ if in_word(first) => rest.find(|character| !in_word(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (text, tail) = rest.split_at(length);
        rest = tail;
        Some(match first {
            '"' | '`' | '[' => Lexeme::Name(text[1..].trim_end_matches(['"', '`', ']']).to_owned()),
            '\'' => Lexeme::Other,
            '-' | '/' if text.len() > 1 => Lexeme::Other,
            _ if in_word(first) => Lexeme::Name(text.to_owned()),
            _ => Lexeme::Mark(first),
        })
    })
}

const CREATE_TABLE: &str = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE";

const FOREIGN_KEYS: &str = "\
    SELECT DISTINCT 'the foreign key of ' || m.name || ' to ' || f.\"table\" \
    FROM sqlite_master AS m, pragma_foreign_key_list(m.name, ?) AS f \
    WHERE m.type = 'table' AND ( \
        m.name = ? COLLATE NOCASE AND f.\"from\" = ? COLLATE NOCASE \
        OR f.\"table\" = ? COLLATE NOCASE AND f.\"to\" = ? COLLATE NOCASE)";

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
        let expected = [("first", vec!["upper", "E Mail", "note"]), ("last", vec!["lower", "note", "1", "2"])];
        let expected = expected.map(|(name, names)| (name.to_owned(), names.into_iter().map(str::to_owned).collect()));
        assert_eq!(generated(sql), expected);
        assert_eq!(generated("CREATE TABLE t (a, b)"), []);
    }
}
