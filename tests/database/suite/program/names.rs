//! Names that others chose: they move no cursor, turn no text, add no line, and end no comment.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::guard::{Migrations, refused};
use super::{fingerprint, key_text};
use crate::backend::{QUOTE, TEXT, TestDatabase, trigger};
use crate::suite::sql::number;
use crate::support::keys::keyring;
use crate::support::runner::{Program, Run};

/// The end of a name: it clears the screen, begins a line, turns the text, and ends a comment.
const NASTY: &str = "\u{1b}[2J\r\nDROP TABLE x; -- \u{202e}\u{9b}";

/// A table, its columns, an index and a trigger with such names.
struct Odd {
    db: TestDatabase,
}

fn name(begin: &str) -> String {
    format!("{begin}{NASTY}")
}

fn quoted(begin: &str) -> String {
    format!("{QUOTE}{}{QUOTE}", name(begin))
}

/// `"t…"."c…"`, as an argument.
fn column(begin: &str) -> String {
    format!("\"{}\".\"{}\"", name("t"), name(begin))
}

impl Odd {
    fn new() -> Self {
        let db = TestDatabase::new();
        let [t, c, d, i] = ["t", "c", "d", "i"].map(quoted);
        let conn = &mut db.conn();
        conn.batch_execute("create table x (id int primary key)").unwrap();
        conn.batch_execute(&format!("create table {t} (id int primary key, {c} varchar(300), {d} {TEXT})")).unwrap();
        conn.batch_execute(&format!("create index {i} on {t} ({c})")).unwrap();
        let this = Self { db };
        for (id, key) in [(1, 1), (2, 2), (3, 1)] {
            this.insert(id, &keyring([key]).encrypt(b"secret"));
        }
        this
    }

    fn insert(&self, id: i32, value: &str) {
        let sql = format!("insert into {} values ({id}, '{value}', '{value}')", quoted("t"));
        self.db.conn().batch_execute(&sql).unwrap();
    }

    fn program(&self, args: &[&str]) -> Program {
        let keys = [key_text(2), key_text(1)].join(":");
        Program::new(args.iter().copied()).set("DB_ENCRYPTION_KEYS", keys).database(&self.db.url())
    }

    fn on_column(&self, args: &[&str]) -> Program {
        self.program(args).arg("--column").arg(column("c"))
    }
}

/// Runs the program, and checks that it shows the names with escapes, and in no other way. The runner looks for ESC and
/// CR.
#[track_caller]
fn shows(program: Program, code: i32, names: &[&str]) -> Run {
    let run = program.exits_with(code);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(['\u{202e}', '\u{9b}']), "{text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("DROP")), "{text}");
    }
    let all = run.stdout.clone() + &run.stderr;
    for begin in names {
        let shown = format!(r"{begin}\u{{1b}}[2J\r\nDROP TABLE x; -- \u{{202e}}\u{{9b}}");
        assert!(all.contains(&shown), "no {shown} in {run:#?}");
    }
    run
}

#[test]
fn of_tables_and_columns_are_escaped_in_every_output() {
    let odd = Odd::new();
    shows(odd.on_column(&["status"]), 3, &["t", "c"]);
    shows(odd.on_column(&["reencrypt", "--dry-run"]), 3, &["t", "c"]);
    shows(odd.on_column(&["retire", &fingerprint(1)]), 3, &["t", "c"]);
    let missing = odd.program(&["status", "--column"]).arg(column("missing"));
    shows(missing, 5, &["t", "missing", "c", "d"]);
    let missing = odd.program(&["status", "--column"]).arg(format!("\"{}\".a", name("missing")));
    shows(missing, 5, &["missing"]);
    let decrypt = odd.on_column(&["decrypt", "--write-plaintext", "a.b"]);
    shows(decrypt, 5, &["t", "c"]);

    odd.insert(4, "plaintext");
    let logged = odd.on_column(&["reencrypt"]).set("RUST_LOG", "diesel_encrypted=trace");
    let run = shows(logged, 4, &["t", "c"]);
    assert!(run.stderr.contains("range claimed"), "{}", run.stderr);
}

#[test]
fn of_triggers_indexes_and_findings_are_escaped() {
    let odd = Odd::new();
    odd.db.conn().batch_execute(&trigger(&quoted("g"), &quoted("t"))).unwrap();
    shows(odd.on_column(&["reencrypt"]), 5, &["t", "g"]);
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.rs");
    crate::support::runner::write(&schema, "diesel::table! { t (id) { id -> Integer, } }");
    let run = shows(odd.program(&["discover", "--schema"]).arg(&schema), 4, &["t", "c", "d"]);
    assert!(run.stdout.lines().count() > 4, "{}", run.stdout);
}

#[test]
fn end_no_comment_in_generated_sql() {
    let odd = Odd::new();
    let columns = [column("c"), column("d")];
    for (way, _) in crate::existing::ways() {
        let args: Vec<&str> = columns.iter().map(String::as_str).chain(way.iter().copied()).collect();
        if QUOTE == '`' && !way.is_empty() {
            // MariaDB needs the definition of the column, and its line is not found.
            refused(&odd.db, &args, "the output of SHOW CREATE TABLE has an unknown form");
            continue;
        }
        let migrations = Migrations::written(&odd.db, &args);
        assert!(!migrations.notes().contains(['\u{202e}', '\u{9b}']), "{}", migrations.notes());
        for folder in &migrations.written {
            for file in ["up.sql", "down.sql"] {
                let sql = std::fs::read_to_string(folder.join(file)).unwrap();
                // Outside the quotes of a name, no line begins like this.
                let comments = sql.lines().filter(|line| line.starts_with("--"));
                assert!(comments.clone().all(|line| !line.contains(['\r', '\u{1b}', '\u{202e}'])), "{sql:?}");
            }
        }
        migrations.run(&mut odd.db.conn()).unwrap();
        assert_eq!(number(&mut odd.db.conn(), "select count(*) from x"), 0);
        let refused = format!("insert into {} values (9, 'plaintext', null)", quoted("t"));
        diesel::sql_query(refused).execute(&mut odd.db.conn()).unwrap_err();
        migrations.revert(&mut odd.db.conn()).unwrap();
        assert_eq!(number(&mut odd.db.conn(), "select count(*) from x"), 0);
    }
}

/// What follows a line break, a quote, a dollar quote or the end of a comment in a name must not run.
#[test]
fn guards_of_a_table_whose_name_is_sql() {
    use super::guard::insert;
    use crate::existing::ways;

    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute("create table victim (a int)").unwrap();
    for name in [
        "x\nDROP TABLE victim; --",
        "x\r\nDROP TABLE victim; --",
        "x'; DROP TABLE victim; --",
        "x\\'; DROP TABLE victim; --",
        "x $guard$; DROP TABLE victim; $guard$",
        "x */ DROP TABLE victim; /*",
    ] {
        let table = format!("{QUOTE}{name}{QUOTE}");
        conn.batch_execute(&format!("create table {table} (id bigint not null primary key, secret {TEXT})")).unwrap();
        for (way, _) in ways() {
            let column = format!("\"{name}\".secret");
            let args: Vec<&str> = std::iter::once(column.as_str()).chain(way.iter().copied()).collect();
            let migrations = Migrations::written(&db, &args);
            migrations.run(conn).unwrap();
            insert(conn, &table, "1, 'plaintext'").unwrap_err();
            migrations.revert(conn).unwrap();
            insert(conn, &table, "1, 'plaintext'").unwrap();
            conn.batch_execute(&format!("delete from {table}")).unwrap();
        }
        assert_eq!(number(conn, "select count(*) from victim"), 0);
    }
}
