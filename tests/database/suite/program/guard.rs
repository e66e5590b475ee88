//! `migration guard` adds guards to existing columns, and its reverts drop them.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::TableName;
use diesel_encrypted::guard::{self, GuardKind};

use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use tempfile::TempDir;

use super::super::sql::{number, texts};
use crate::backend::{BYTES, BYTES_LITERAL, Conn, QUOTE, TEXT, TestDatabase, shown};
use crate::existing::{ODD_PEOPLE, shape, ways};
use crate::support::keys::keyring;
use crate::support::runner::{Program, Run, write};

const PLAINTEXT: &str = "ada@example.org";

/// Returns a token of a plaintext of this length.
pub fn token(plaintext: usize) -> String {
    keyring([1]).encrypt(&vec![b'x'; plaintext])
}

/// Runs `INSERT INTO into VALUES (values)`.
pub fn insert(conn: &mut Conn, into: &str, values: &str) -> QueryResult<usize> {
    diesel::sql_query(format!("insert into {into} values ({values})")).execute(conn)
}

pub fn program(db: &TestDatabase, args: &[&str], folder: &TempDir) -> Program {
    let program = Program::new(["migration", "guard"]).args(args.to_vec()).database(&db.url()).secrets([PLAINTEXT]);
    program.arg("--dir").arg(folder.path())
}

/// Checks that the program refuses for this reason, and writes no migration.
#[track_caller]
pub fn refused(db: &TestDatabase, args: &[&str], reason: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let run = program(db, args, &folder).exits_with(5).says(&reason.replace("DB.", &db.schema()));
    assert_eq!((run.stdout.as_str(), folder.path().read_dir().unwrap().count()), ("", 0));
    run
}

/// Migrations that the program wrote.
pub struct Migrations {
    pub folder: TempDir,
    pub written: Vec<PathBuf>,
    notes: String,
}

impl Migrations {
    #[track_caller]
    pub fn written(db: &TestDatabase, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = program(db, args, &folder).exits_with(0);
        let written = run.stdout.lines().map(PathBuf::from).collect();
        Self { folder, written, notes: run.stderr }
    }

    pub fn notes(&self) -> &str {
        &self.notes
    }

    #[track_caller]
    pub fn says(&self, text: &str) {
        assert!(self.notes.contains(text), "no {text:?} in {}", self.notes);
    }

    pub fn up(&self, index: usize) -> String {
        std::fs::read_to_string(self.written[index].join("up.sql")).unwrap()
    }

    fn source(&self) -> FileBasedMigrations {
        FileBasedMigrations::from_path(self.folder.path()).unwrap()
    }

    /// Runs all pending migrations, as an application does.
    pub fn run(&self, conn: &mut Conn) -> diesel::migration::Result<()> {
        conn.run_pending_migrations(self.source()).map(drop)
    }

    /// Runs the next migration only.
    #[allow(dead_code)] // SQLite has one migration for each table.
    pub fn run_next(&self, conn: &mut Conn) -> diesel::migration::Result<()> {
        conn.run_next_migration(self.source()).map(drop)
    }

    pub fn revert(&self, conn: &mut Conn) -> diesel::migration::Result<()> {
        conn.revert_all_migrations(self.source()).map(drop)
    }
}

fn quoted(name: &str) -> String {
    format!("{QUOTE}{name}{QUOTE}")
}

/// Creates odd people with tokens: a parent and a child. The last number that the database assigned is 900.
fn odd_people() -> (TestDatabase, Conn) {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(ODD_PEOPLE).unwrap();
    insert(&mut conn, "parents", "1").unwrap();
    for (id, parent) in [(1, "1"), (2, "null"), (900, "1")] {
        let photo = BYTES_LITERAL
            .replace("{}", &token(id.min(40)).bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        let values = format!("{id}, 'né {id}', '{}', {photo}, {parent}", token(id.min(40)));
        insert(&mut conn, &people("id, name, MAIL, photo, parent"), &values).unwrap();
    }
    insert(&mut conn, "children", "1, 1").unwrap();
    let people = quoted("Odd People");
    conn.batch_execute(&format!("delete from {people} where id = 900")).unwrap();
    (db, conn)
}

/// The table `people` with these columns. One name depends on the database.
fn people(columns: &str) -> String {
    format!("{} ({})", quoted("Odd People"), columns.replace("MAIL", &quoted("E Mail")))
}

fn contents(conn: &mut Conn) -> Vec<String> {
    let shown = shown(&["id", "name", &quoted("E Mail"), "photo", "parent", "loud"]);
    texts(conn, &format!("select {shown} from {} order by id", quoted("Odd People")))
}

fn count(conn: &mut Conn, from: &str) -> i64 {
    number(conn, &format!("select count(*) from {from}"))
}

fn kinds(conn: &mut Conn) -> [Option<GuardKind>; 3] {
    ["E Mail", "photo", "name"].map(|column| guard::of(conn, &TableName::new("Odd People"), column).unwrap())
}

const COLUMNS: [&str; 2] = ["Odd People.E Mail", "Odd People.photo"];

#[test]
fn columns_are_guarded_and_everything_else_stays_as_it_was() {
    for (way, kind) in ways() {
        let (db, mut conn) = odd_people();
        let conn = &mut conn;
        let before = (shape(conn), contents(conn));
        assert_eq!(kinds(conn), [None; 3]);
        let migrations = Migrations::written(&db, &[&COLUMNS, *way].concat());
        assert!(migrations.up(0).starts_with("-- The database refuses every value that is not a Fernet token in "));
        assert!(migrations.notes().contains("Odd People"), "{}", migrations.notes());
        migrations.run(conn).unwrap();
        assert_eq!(kinds(conn), [Some(*kind), Some(*kind), None], "{way:?}");
        assert_eq!(contents(conn), before.1);

        let (token, photo) = (token(3), BYTES_LITERAL.replace("{}", "ab"));
        for (columns, value) in [
            ("MAIL", format!("'{PLAINTEXT}'")),
            ("MAIL", format!("'{}'", token.to_lowercase())),
            ("MAIL", format!("'{token} '")),
            ("MAIL, photo", format!("'{token}', {photo}")),
            ("name", "'relies on the default'".to_owned()),
        ] {
            let error = insert(conn, &people(columns), &value).unwrap_err();
            let error = format!("{error} {error:?}");
            let of_value = value.trim_matches('\'').trim_end();
            assert!(!error.contains(of_value) && !error.contains(&token), "{error}");
        }
        let update = format!("update {} set {} = '{PLAINTEXT}'", quoted("Odd People"), quoted("E Mail"));
        assert!(!conn.batch_execute(&update).unwrap_err().to_string().contains(PLAINTEXT));
        assert_eq!(contents(conn), before.1);
        // Numbers continue, constraints hold, and deleting a row deletes the rows that refer to it.
        insert(conn, &people("name, MAIL, photo, parent"), &format!("'new', '{token}', null, 1")).unwrap();
        assert_eq!(count(conn, &format!("{} where id > 900", quoted("Odd People"))), 1);
        assert!(insert(conn, &people("name, MAIL"), &format!("'', '{token}'")).is_err());
        assert!(insert(conn, &people("MAIL, parent"), &format!("'{token}', 77")).is_err());
        assert!(insert(conn, "children", "2, 77").is_err());

        refused(&db, &COLUMNS, "DB.Odd People.E Mail already has a guard: ".trim_start_matches("DB."));
        migrations.revert(conn).unwrap();
        conn.batch_execute(&format!("delete from {} where id > 900", quoted("Odd People"))).unwrap();
        assert_eq!((shape(conn), contents(conn)), before, "{way:?}");
        assert_eq!(kinds(conn), [None; 3]);
        insert(conn, &people("name"), "'plain again'").unwrap();
        conn.batch_execute(&format!("delete from {} where id = 1", quoted("Odd People"))).unwrap();
        assert_eq!(count(conn, "children"), 0);
    }
}

#[test]
fn too_early_is_refused_by_the_program() {
    let (db, mut conn) = odd_people();
    for _ in 0..3 {
        insert(&mut conn, &people("MAIL"), &format!("'{PLAINTEXT}'")).unwrap();
    }
    let reason = format!(
        "{}Odd People.E Mail holds 3 values that are not tokens. The database would refuse the guard. First run \
         `diesel-encrypted encrypt --column 'Odd People.E Mail'` until it ends with exit code 0.",
        db.schema()
    );
    refused(&db, &COLUMNS, &reason);
    refused(&db, &["Odd People.E Mail"], &reason);
    Migrations::written(&db, &["Odd People.photo"]);
}

#[test]
fn too_early_is_refused_by_the_database_and_nothing_is_lost() {
    for (way, _) in ways() {
        let (db, mut conn) = odd_people();
        let conn = &mut conn;
        let migrations = Migrations::written(&db, &[&COLUMNS, *way].concat());
        insert(conn, &people("id, MAIL"), &format!("3, '{PLAINTEXT}'")).unwrap();
        let before = (shape(conn), contents(conn));
        // Online, too: the application still writes plaintext, and the guard would refuse it.
        let error = migrations.run(conn).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PLAINTEXT), "{error}");
        assert_eq!(contents(conn), before.1);
        let conn = &mut db.conn();
        assert_eq!((shape(conn), kinds(conn)), (before.0, [None; 3]));
        insert(conn, &people("id, MAIL"), &format!("4, '{PLAINTEXT}'")).unwrap();
        conn.batch_execute(&format!("delete from {} where id = 4", quoted("Odd People"))).unwrap();
        let encrypt = format!("update {} set {} = '{}' where id = 3", quoted("Odd People"), quoted("E Mail"), token(3));
        conn.batch_execute(&encrypt).unwrap();
        migrations.run(conn).unwrap();
        assert!(insert(conn, &people("MAIL"), &format!("'{PLAINTEXT}'")).is_err());
    }
}

#[test]
fn one_migration_for_each_table_in_the_order_in_which_they_run() {
    let db = TestDatabase::new();
    let table = |name: &str| format!("create table {name} (id bigint not null primary key, a {TEXT}, b {BYTES});");
    db.conn().batch_execute(&(table("s") + &table("t"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = |args: &[&str]| {
        let run = program(&db, args, &folder).exits_with(0);
        let names =
            run.stdout.lines().map(|line| PathBuf::from(line).file_name().unwrap().to_str().unwrap().to_owned());
        // On PostgreSQL, each is followed by one that validates it.
        names.filter(|name| !name.ends_with("_validate")).collect::<Vec<String>>()
    };
    let first = written(&["t.a", "s.a", "t.b", "t.a"]);
    let second = written(&["s.b"]);
    let names: Vec<(&str, &str)> = first.iter().chain(&second).map(|name| name.split_once('_').unwrap()).collect();
    assert_eq!(names.iter().map(|(_, name)| *name).collect::<Vec<_>>(), ["guard_t_a_b", "guard_s_a", "guard_s_b"]);
    assert!(names.windows(2).all(|pair| pair[0].0 < pair[1].0), "{names:?}");
    program(&db, &["t.a", "t.b"], &folder).exits_with(5).says("a migration with this name exists: ");
    // Each migration describes the tables as they were. On SQLite, the second one for `s` would undo the first.
    for written in folder.path().read_dir().unwrap().flatten() {
        if written.file_name().to_string_lossy().contains("_guard_s_b") {
            std::fs::remove_dir_all(written.path()).unwrap();
        }
    }
    let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
    let written = folder.path().read_dir().unwrap().count();
    assert_eq!(db.conn().run_pending_migrations(migrations).unwrap().len(), written);
}

#[test]
fn columns_that_get_no_guard() {
    let db = TestDatabase::new();
    let sql = format!(
        "create table t (id bigint not null primary key, a {TEXT}, n int, g int generated always as (n + 1) stored);
         create view v as select a from t"
    );
    db.conn().batch_execute(&sql).unwrap();
    let schema = db.schema();
    for (column, reason) in [
        ("x.a", "there is no table x. Check the name".to_owned()),
        ("t.x", format!("the table {schema}t has no column x. Its columns are id, a, n, g.")),
        ("t.n", format!("{schema}t.n cannot be guarded: its type is ")),
        ("t.g", format!("{schema}t.g cannot be guarded: the database generates it")),
        ("v.a", format!("the table {schema}v cannot be guarded: it is not a")),
    ] {
        refused(&db, &[column], &reason);
        refused(&db, &["t.a", column], &reason);
    }
    if ways().len() == 1 {
        refused(&db, &["t.a", "--online"], "t cannot be guarded online: ");
    }
    let folder = tempfile::tempdir().unwrap();
    program(&db, &[], &folder).exits_with(2);
    // The program checks first what needs no reading of rows.
    insert(&mut db.conn(), "t (id, a)", &format!("1, '{PLAINTEXT}'")).unwrap();
    if ways().len() == 1 {
        refused(&db, &["t.a", "--online"], "t cannot be guarded online: ");
    }
    let homeless = || Program::new(["migration", "guard", "t.a"]).database(&db.url()).folder(folder.path());
    homeless().exits_with(2).says(
        "there is no folder `migrations` here or above, and no diesel.toml names one. Name the folder with --dir",
    );
    db.conn().batch_execute("delete from t").unwrap();
    write(folder.path().join("migrations/.keep"), "");
    let run = Program::new(["migration", "guard", "t.a"]).database(&db.url()).folder(folder.path()).exits_with(0);
    assert!(run.stdout.contains("/migrations/20"), "{}", run.stdout);
    run.says("- A guard knows the shape of a token, but no keys");
}
