//! Guards on columns of an existing table that has everything a table can have, and behaviour of SQLite only.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use diesel_encrypted::guard::GuardKind;

use crate::backend::{Conn, TestDatabase};
use crate::suite::program::guard::{Migrations, insert, program, refused, token};
use crate::suite::sql::texts;

/// The ways to create guards, and the kind of guard that each creates.
pub fn ways() -> &'static [(&'static [&'static str], GuardKind)] {
    &[(&[], GuardKind::Check)]
}

pub const ODD_PEOPLE: &str = r#"
    create table parents (id integer primary key);
    create table "Odd People" ( -- (people
        id integer primary key autoincrement, /* ) */
        name text not null default 'nobody' check (name <> ''),
        "E Mail" text collate nocase not null default 'x)',
        [photo] blob,
        parent integer references parents (id) on delete cascade,
        boss integer references "Odd People" (id),
        loud text generated always as (upper(name)) virtual,
        unique (name, parent) -- the end
    );
    create index "by mail" on "Odd People" ("E Mail") where parent is not null;
    create index shouted on "Odd People" (upper(name)) -- of an expression
    ;
    create table children (id integer primary key, person integer references "Odd People" (id) on delete cascade);
    create table log (said text);
    create trigger marks after insert on "Odd People" begin insert into log values (new.name || ';'); end;
    create trigger elsewhere after insert on log begin update "Odd People" set parent = parent where id = 0; end;
    create view names as select name, "E Mail" from "Odd People";
    pragma foreign_keys = on;
"#;

/// Returns everything that the catalogue knows.
pub fn shape(conn: &mut Conn) -> Vec<String> {
    texts(
        conn,
        "select type || ' ' || name || ' ' || coalesce(sql, '') as line from sqlite_master
         where name not like '\\_\\_diesel%' escape '\\' and tbl_name not like '\\_\\_diesel%' escape '\\' order by 1",
    )
}

fn with(sql: &str) -> TestDatabase {
    let db = TestDatabase::new();
    db.conn().batch_execute(sql).unwrap();
    db
}

/// Guards `t.a` and reverts it. The result of `rows` stays the same.
fn there_and_back(sql: &str, rows: &str) {
    let db = with(sql);
    let conn = &mut db.conn();
    let (shape_before, before) = (shape(conn), texts(conn, rows));
    assert!(!before.is_empty());
    let migrations = Migrations::written(&db, &["t.a"]);
    migrations.run(conn).unwrap();
    assert_eq!(texts(conn, rows), before, "{sql}");
    assert!(insert(conn, "t (a)", "'x'").is_err(), "{sql}");
    migrations.revert(conn).unwrap();
    assert_eq!(texts(conn, rows), before, "{sql}");
    // SQLite quotes the name of a renamed table.
    let plain = |shape: Vec<String>| shape.join("\n").replace("CREATE TABLE \"t\"", "CREATE TABLE t");
    assert_eq!(plain(shape(conn)), plain(shape_before), "{sql}");
}

#[test]
fn rows_keep_their_row_ids() {
    let token = token(1);
    let rows = "select rowid || ' ' || a || ' ' || typeof(b) as line from t order by 1";
    for (columns, name) in [
        ("a text, b", "rowid"),
        ("a text, b, id int", "rowid"),
        ("a text, b, rowid text", "oid"),
        ("a text, b, id text primary key", "rowid"),
    ] {
        let sql = format!(
            "create table t ({columns});
             insert into t ({name}, a, b) values (7, '{token}', 1), (-3, '{token}', x'00'), (900, '{token}', 'x')"
        );
        there_and_back(&sql, &rows.replace("rowid", name));
    }
}

#[test]
fn tables_of_all_kinds() {
    let token = token(1);
    let rows = "select coalesce(k, '') || a || typeof(a) as line from t order by 1";
    for definition in [
        "create table t (k text primary key, a text) without rowid",
        "create table t (k text, a text) strict",
        "create table t (k text, a text, primary key (k, a)) without rowid, strict",
        "create table t (k text, a text, b int as (length(a)) stored, c int as (1))",
        "create table t (k text unique, a text collate rtrim, r text collate nocase references t (k)\n on delete set null)",
        "create table t(k/**/text,a\ttext--,\n)",
        "create table t (k text, a text, \"check\" text check (\"check\" <> ')'), [constraint (] int default (1 + (2)))",
        "create table t (k text, a text); alter table t add column c text default 'x, y)'",
        "create table s (k text, a text); alter table s rename to t",
        "create table t as select 'k' as k, cast('' as text) as a where false",
        "create table t (k text, a text) -- the end\n",
    ] {
        there_and_back(&format!("{definition}; insert into t (k, a) values ('k', '{token}')"), rows);
    }
}

#[test]
fn the_type_of_a_value_counts() {
    let db = with("create table t (a text, b blob not null default x'00')");
    let migrations = Migrations::written(&db, &["t.a", "t.b"]);
    migrations
        .says("t.b: its default stays. If the default is not a token, the guard refuses an INSERT that relies on it");
    let conn = &mut db.conn();
    migrations.run(conn).unwrap();
    let (text, bytes) = (format!("'{}'", token(1)), format!("cast('{}' as blob)", token(1)));
    insert(conn, "t", &format!("{text}, {bytes}")).unwrap();
    insert(conn, "t", &format!("null, {bytes}")).unwrap();
    for values in [format!("{bytes}, {bytes}"), format!("{text}, {text}"), format!("{text}, null")] {
        assert!(insert(conn, "t", &values).is_err(), "{values}");
    }
    assert!(insert(conn, "t (a)", &text).is_err());
}

/// Python's `Fernet.encrypt` returns such tokens, because it returns bytes.
#[test]
fn tokens_of_the_other_type_are_not_sent_to_be_encrypted() {
    let db = with(&format!(
        "create table \"t t\" (a text, b blob);
         insert into \"t t\" values (cast('{0}' as blob), cast('{0}' as blob)), ('{0}', '{0}'), (x'00', x'00')",
        token(1)
    ));
    let conn = &mut db.conn();
    for (column, sql) in [
        ("a", "UPDATE \"t t\" SET \"a\" = CAST(\"a\" AS TEXT) WHERE typeof(\"a\") = 'blob' AND \"a\" GLOB 'gAAAA*'"),
        ("b", "UPDATE \"t t\" SET \"b\" = CAST(\"b\" AS BLOB) WHERE typeof(\"b\") = 'text' AND \"b\" GLOB 'gAAAA*'"),
    ] {
        let place = format!("t t.{column}");
        let run = refused(&db, &[&place], &format!("{place} holds 1 token that is stored as another type"));
        assert!(run.stderr.contains(&format!("Run this first: {sql}")), "{}", run.stderr);
        conn.batch_execute(sql).unwrap();
        refused(&db, &[&place], &format!("{place} holds 1 value that is not a token"));
    }
    conn.batch_execute("delete from \"t t\" where b = x'00'").unwrap();
    Migrations::written(&db, &["t t.a", "t t.b"]).run(conn).unwrap();
}

/// Checks what a failed migration leaves on the connection of an application.
#[test]
fn a_refused_migration_leaves_no_transaction_open() {
    let db = with("create table t (k integer primary key, a text); create table u (t int references t (k))");
    let migrations = Migrations::written(&db, &["t.a"]);
    let mut conn = db.conn();
    insert(&mut conn, "t (a)", "'plaintext'").unwrap();
    let error = migrations.run(&mut conn).unwrap_err().to_string();
    assert!(error.contains("CHECK constraint failed: t_a_is_encrypted"), "{error}");
    insert(&mut db.conn(), "t (a)", "'from elsewhere'").unwrap();
    conn.batch_execute("begin; commit").unwrap();
}

/// Returns everything in the catalogue, and the content of all rows.
fn everything(conn: &mut Conn) -> (Vec<String>, Vec<String>) {
    (shape(conn), texts(conn, "select k || a || b as line from t order by 1"))
}

fn t_with_rows() -> TestDatabase {
    with(&format!(
        "create table t (k integer primary key, a text, b text); create index by_b on t (b); create table log (b text);
         create trigger marks after insert on t begin insert into log values (new.b); end;
         insert into t values (1, '{0}', '{0}'), (2, '{0}', '{0}')",
        token(1)
    ))
}

/// Changes of a table that later migrations make, and how to revert them.
const LATER: [(&str, &str); 6] = [
    ("alter table t add column phone text; update t set phone = '112'", "alter table t drop column phone"),
    (
        "alter table t rename to s",
        "alter table s rename to t; drop index by_b; create index by_b on t (b); drop trigger marks;
         create trigger marks after insert on t begin insert into log values (new.b); end",
    ),
    ("create index later on t (b)", "drop index later"),
    ("drop index by_b; create index by_b on t (b desc)", "drop index by_b; create index by_b on t (b)"),
    ("drop trigger marks", "create trigger marks after insert on t begin insert into log values (new.b); end"),
    ("create table children (t int references t (k) on delete cascade)", "drop table children"),
];

/// Otherwise, reverting a guard would lose later changes.
#[test]
fn reverting_a_guard_keeps_later_changes() {
    let db = t_with_rows();
    let conn = &mut db.conn();
    let migrations = Migrations::written(&db, &["t.a"]);
    migrations.run(conn).unwrap();
    for (later, reverted) in LATER {
        conn.batch_execute(later).unwrap();
        let changed = shape(conn);
        let error = migrations.revert(conn).unwrap_err().to_string();
        let reason = "t has changed since this migration was run and stays as it is: revert that change first";
        assert!(error.contains(reason), "{later}: {error}");
        assert_eq!(shape(conn), changed, "{later}");
        conn.batch_execute(&format!("begin; commit; {reverted}")).unwrap();
    }
    assert!(insert(conn, "t (a)", "'x'").is_err());
    migrations.revert(conn).unwrap();
    insert(conn, "t (a)", "'x'").unwrap();
}

/// Another migration may have been pending, and ran first.
#[test]
fn running_a_guard_keeps_changes_since_it_was_written() {
    for (later, reverted) in LATER {
        let db = t_with_rows();
        let conn = &mut db.conn();
        let migrations = Migrations::written(&db, &["t.a"]);
        conn.batch_execute(later).unwrap();
        let changed = shape(conn);
        let error = migrations.run(conn).unwrap_err().to_string();
        let reason = "t has changed since this migration was written and stays as it is: delete this migration, and";
        assert!(error.contains(reason), "{later}: {error}");
        assert_eq!(shape(conn), changed, "{later}");
        conn.batch_execute(&format!("begin; commit; {reverted}")).unwrap();
        migrations.run(conn).unwrap();
        // The same again, with a quoted name.
        migrations.revert(conn).unwrap();
        migrations.run(conn).unwrap();
        assert!(insert(conn, "t (a)", "'x'").is_err());
    }
}

#[test]
fn a_second_guard_does_not_take_the_first_away() {
    let db = t_with_rows();
    let conn = &mut db.conn();
    let mut migrations = Migrations::written(&db, &["t.a"]);
    let write_more = |migrations: &mut Migrations| {
        let run = program(&db, &["t.b"], &migrations.folder).exits_with(0);
        migrations.written.extend(run.stdout.lines().map(PathBuf::from));
    };
    write_more(&mut migrations);
    let error = migrations.run(conn).unwrap_err().to_string();
    assert!(error.contains("t has changed since this migration was written"), "{error}");
    assert!(insert(conn, "t (a)", "'x'").is_err());
    insert(conn, "t (b)", "'x'").unwrap();
    conn.batch_execute("delete from t where b = 'x'").unwrap();
    std::fs::remove_dir_all(migrations.written.remove(1)).unwrap();
    write_more(&mut migrations);
    migrations.run(conn).unwrap();
    assert!(insert(conn, "t (a)", "'x'").is_err());
    assert!(insert(conn, "t (b)", "'x'").is_err());
    migrations.revert(conn).unwrap();
    insert(conn, "t", "null, 'x', 'x'").unwrap();
}

/// By default, the program `sqlite3` continues after an error in a file.
#[test]
fn continuing_after_an_error_loses_nothing() {
    let db = t_with_rows();
    let conn = &mut db.conn();
    let before = everything(conn);
    let migrations = Migrations::written(&db, &["t.a"]);
    let run = |sql: &str| {
        // The statement of the trigger contains a semicolon.
        let statements = sql.replace("; end;\n", "; end\u{7}").replace(";\n", "\u{7}");
        let mut conn = db.conn();
        statements.split('\u{7}').filter(|statement| conn.batch_execute(statement).is_err()).count()
    };
    let refused = [
        ("insert into t values (3, 'x', 'x')", "delete from t where k = 3"),
        ("alter table t add column phone text", "alter table t drop column phone"),
        ("create index shadow on log (b); drop index by_b", "drop index shadow; create index by_b on t (b)"),
    ];
    for (change, undo) in refused {
        conn.batch_execute(change).unwrap();
        let changed = everything(conn);
        assert_ne!(run(&migrations.up(0)), 0, "{change}");
        assert_eq!(everything(conn), changed, "{change}");
        conn.batch_execute(undo).unwrap();
    }
    assert_eq!(everything(conn), before);
    assert_eq!(run(&migrations.up(0)), 0);
    assert!(insert(conn, "t (a)", "'x'").is_err());
    conn.batch_execute("alter table t add column phone text").unwrap();
    let changed = everything(conn);
    assert_ne!(run(&std::fs::read_to_string(migrations.written[0].join("down.sql")).unwrap()), 0);
    assert_eq!(everything(conn), changed);
}

/// References that were broken before are not a reason to fail.
#[test]
fn broken_references_are_left_as_they_are() {
    let db = with("create table t (k integer primary key, a text); create table u (t int references t (k))");
    let conn = &mut db.conn();
    conn.batch_execute("pragma foreign_keys = off; insert into u values (77)").unwrap();
    Migrations::written(&db, &["t.a"]).run(conn).unwrap();
    assert_eq!(texts(conn, "select \"table\" || rowid || parent as line from pragma_foreign_key_check"), ["u1t"]);
}

#[test]
fn statistics_are_updated() {
    let db = with("create table t (a text, b int); create index by_b on t (b); insert into t (b) values (1), (2)");
    let conn = &mut db.conn();
    conn.batch_execute("analyze").unwrap();
    let statistics = "select concat_ws(' ', tbl, idx, stat) as line from sqlite_stat1 order by 1";
    let before = texts(conn, statistics);
    Migrations::written(&db, &["t.a"]).run(conn).unwrap();
    assert_eq!(texts(conn, statistics), before);
}

/// While the new table is created, a CHECK that names its table would refer to another table.
#[test]
fn a_table_that_cannot_be_created_again_is_refused() {
    let db = with("create table t (a text, b int check (t.b > 0))");
    let run =
        refused(&db, &["t.a"], "the table t cannot be guarded: its CREATE TABLE with the guards creates a different");
    assert!(run.stderr.contains("CONSTRAINT \"t_a_is_encrypted\" CHECK (\n        typeof(\"a\") IN"), "{}", run.stderr);
    let db = with("create table t (a text); create table u (t int references t (rowid))");
    refused(
        &db,
        &["t.a"],
        "the table t cannot be guarded: SQLite cannot check its foreign keys, or the foreign keys that refer to it: ",
    );
    let db = with("create virtual table t using fts5 (a)");
    refused(&db, &["t.a"], "the table t cannot be guarded: it is not an ordinary table");
}
