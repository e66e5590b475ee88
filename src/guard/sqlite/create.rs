//! A `CREATE TABLE` as SQLite stores it, and the place for more constraints.

use diesel::sqlite::Sqlite;

use crate::database::Word;
use crate::database::quote::quoted;
use crate::database::words::{closing, words};

/// `CREATE TABLE name (columns, constraints) options`
pub(crate) struct CreateTable<'a> {
    pub(crate) sql: &'a str,
    name: Word<'a>,
    /// The end of the last column or constraint. Comments may follow it.
    end: usize,
    pub(crate) has_row_ids: bool,
    pub(crate) is_counted: bool,
}

impl<'a> CreateTable<'a> {
    /// Returns `None` for another statement, or for an unknown form.
    pub(crate) fn parse(sql: &'a str) -> Option<Self> {
        const OPEN: usize = 3;
        let words = words(sql)?;
        let close = closing(&words, OPEN)?;
        let options = &words[close + 1..];
        let is_known = |word: &Word<'_>| ["WITHOUT", "ROWID", "STRICT", ","].iter().any(|option| word.is(option));
        let is_create = words[0].is("CREATE") && words[1].is("TABLE") && words[OPEN].is("(");
        (is_create && close > OPEN + 1 && options.iter().all(is_known)).then(|| Self {
            sql,
            name: words[2],
            end: words[close - 1].end(),
            has_row_ids: !options.iter().any(|word| word.is("WITHOUT")),
            is_counted: words.iter().any(|word| word.is("AUTOINCREMENT")),
        })
    }

    /// The statement for a table of this name, with more constraints.
    pub(crate) fn with(&self, name: &str, constraints: &[String]) -> String {
        let Self { sql, name: former, end, .. } = self;
        let more: String = constraints.iter().map(|constraint| format!(",\n    {constraint}")).collect();
        format!("CREATE TABLE {}{}{more}{}", quoted::<Sqlite>(name), &sql[former.end()..*end], &sql[*end..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_come_last() {
        let cases = [
            ("CREATE TABLE t (a)", "CREATE TABLE \"n\" (a,\n    X)"),
            (
                "CREATE TABLE \"t (\"(a TEXT, -- b)\n  b /* ( */ INT -- c\n) STRICT",
                "CREATE TABLE \"n\"(a TEXT, -- b)\n  b /* ( */ INT,\n    X -- c\n) STRICT",
            ),
            (
                "create table [t](a, PRIMARY KEY (a)) without rowid, strict",
                "CREATE TABLE \"n\"(a, PRIMARY KEY (a),\n    X) without rowid, strict",
            ),
            ("CREATE TABLE 't'(\"a)\" DEFAULT ')')", "CREATE TABLE \"n\"(\"a)\" DEFAULT ')',\n    X)"),
        ];
        for (sql, expected) in cases {
            assert_eq!(CreateTable::parse(sql).unwrap().with("n", &["X".into()]), expected);
        }
    }

    #[test]
    fn an_unknown_form_is_none() {
        let cases = [
            "",
            "CREATE TABLE t",
            "CREATE TABLE t ()",
            "CREATE TABLE t (a",
            "CREATE TABLE t (a) LATER",
            "CREATE TABLE s.t (a)",
            "CREATE TABLE t (a 'b)",
            "CREATE VIRTUAL TABLE t USING fts5(a)",
            "CREATE TABLE t AS SELECT (1)",
        ];
        for sql in cases {
            assert!(CreateTable::parse(sql).is_none(), "{sql}");
        }
    }

    #[test]
    fn row_ids_and_autoincrement() {
        let parse = |sql| CreateTable::parse(sql).map(|create| (create.has_row_ids, create.is_counted));
        assert_eq!(parse("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)"), Some((true, true)));
        assert_eq!(parse("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID"), Some((false, false)));
        assert_eq!(parse("CREATE TABLE t (\"AUTOINCREMENT\" TEXT DEFAULT 'WITHOUT ROWID')"), Some((true, false)));
    }
}
