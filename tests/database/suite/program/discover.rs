//! `discover` finds what was forgotten, and reports nothing else.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use serde_json::json;

use super::super::guards::raw;
use super::super::migrations::{Person, ada, migrated, nobody};
use super::scene::{Scene, discover, findings, token};
use super::{cells, key_text};
use crate::backend::{
    BYTES, BYTES_LITERAL, COPYING_TRIGGERS, DROP_INDEX, EXPRESSION_INDEXES, HAS_LENGTHS, IDLE_TRIGGERS,
    MANAGE_UPDATED_AT, QUOTE, TEXT, TestDatabase, unreachable_url,
};
use crate::schema::people;
use crate::shipped::SCHEMA_FILE;
use crate::support::keys::keyring;
use crate::support::runner::{Program, write};
use crate::support::secrets::PLAINTEXT;

/// Quotes a name for SQL.
fn quoted(name: &str) -> String {
    format!("{QUOTE}{}{QUOTE}", name.replace(QUOTE, &format!("{QUOTE}{QUOTE}")))
}

fn fill(db: &TestDatabase, people: &[Person]) {
    keyring([1]).scope(|| diesel::insert_into(people::table).values(people).execute(&mut db.conn()).unwrap());
}

#[test]
fn the_shipped_migrations_are_clean() {
    let db = migrated();
    let discover = || discover(&db).args(["--schema".into(), PathBuf::from(SCHEMA_FILE).canonicalize().unwrap()]);
    let columns = |sampled: [u64; 4]| {
        let column = |(name, sampled): (&str, u64)| {
            let declared = name != "name";
            json!({
                "table": format!("{}people", db.schema()), "column": name, "declared": declared, "guarded": declared,
                "sampled": sampled, "tokens": if declared { sampled } else { 0 }, "misshapen": 0,
            })
        };
        ["name", "email", "phone", "photo"].into_iter().zip(sampled).map(column).collect::<Vec<_>>()
    };
    let run = discover().arg("--json").exits_with(0);
    assert_eq!(run.json(), json!({ "outcome": "clean", "columns": columns([0; 4]), "findings": [] }));
    fill(&db, &[ada(), nobody(), ada()]);
    let run = discover().arg("--json").exits_with(0);
    assert_eq!(run.json(), json!({ "outcome": "clean", "columns": columns([3, 3, 2, 2]), "findings": [] }));
    run.notes("ended", "clean: 4 columns checked, 3 of them declared as encrypted");
    // The tables of the task do not disturb it.
    let folder = tempfile::tempdir().unwrap();
    let state = Program::new(["migration", "state", "--dir"]).arg(folder.path()).database(&db.url()).exits_with(0);
    let up = std::fs::read_to_string(PathBuf::from(state.stdout.trim()).join("up.sql")).unwrap();
    db.conn().batch_execute(&up).unwrap();
    discover().exits_with(0);
}

#[test]
fn the_output_for_people() {
    let scene = Scene::new();
    let name = format!("{}t.secret", scene.db.schema());
    let head = ["column", "declared", "guarded", "sampled", "tokens"];
    let run = scene.discover().exits_with(0);
    assert_eq!(cells(&format!("{}\n\n", run.stdout)), [head.to_vec(), vec![&*name, "yes", "yes", "2", "2"]]);
    run.says("clean: 1 column checked, 1 of them declared as encrypted\n");

    scene.run(&format!("update t set secret = '{PLAINTEXT}' where id = 2; create index by_secret on t (secret)"));
    let run = scene.discover().exits_with(4);
    let (table, findings) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(cells(&format!("{table}\n\n")), [head.to_vec(), vec![&*name, "yes", "yes", "2", "1"]]);
    let findings: Vec<&str> = findings.lines().collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    let expected = format!(
        "{name}: plaintext: 1 of 2 sampled values is plaintext. Next: find out what writes it, encrypt it with \
         `diesel-encrypted encrypt --column {name}`, and add a guard that refuses it from then on."
    );
    assert_eq!(findings[0], expected);
    assert!(findings[1].starts_with(&format!("{name}: useless index: the index by_secret finds nothing, ")));
    run.says("2 findings: 1 column checked, 1 of them declared as encrypted\n");
}

/// A mistake, the findings about it, and its correction.
type Mistake = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const MISTAKES: &[Mistake] = &[
    (
        "alter table t add column note varchar(200); update t set note = secret where id = 1",
        &[("undeclared", "t.note")],
        // A text with the same length and alphabet.
        "update t set note = concat('h', substr(note, 2)) where id = 1",
    ),
    (
        "update t set note = substr(secret, 1, 90) where id = 1; update t set note = secret where id = 2",
        &[("undeclared", "t.note")],
        "update t set note = null where id = 2",
    ),
    (
        "update t set secret = 'PLAINTEXT' where id = 2",
        &[("plaintext", "t.secret")],
        "update t set secret = null where id = 2",
    ),
    ("create unique index by_secret on t (secret)", &[("useless index", "t.secret")], "DROP_INDEX"),
    ("create index by_secret on t (amount, secret)", &[("useless index", "t.secret")], "DROP_INDEX"),
    (
        "create table guarded (id bigint primary key, key_of varchar(200) check (GUARD(key_of)))",
        &[("undeclared", "guarded.key_of")],
        "drop table guarded",
    ),
    (
        "create table keyless (note TEXT); insert into keyless select secret from t",
        &[("undeclared", "keyless.note")],
        "delete from keyless",
    ),
];

#[test]
fn each_mistake_is_found_and_none_after_its_correction() {
    let scene = Scene::new();
    scene.finds(&[]);
    let words = |sql: &str| sql.replace("PLAINTEXT", PLAINTEXT).replace("TEXT", TEXT).replace("DROP_INDEX", DROP_INDEX);
    for (plant, found, correction) in MISTAKES {
        scene.run(&words(plant));
        scene.finds(found);
        scene.run(&words(correction));
        scene.finds(&[]);
    }
    for expression in EXPRESSION_INDEXES.iter() {
        scene.run(&format!("create index by_expression on t ({expression})"));
        scene.finds(&[("useless index", "t.secret")]);
        scene.run(&DROP_INDEX.replace("by_secret", "by_expression"));
    }
}

#[test]
fn declarations_that_the_database_does_not_have() {
    let scene = Scene::new();
    scene.declare("t (id) { id -> BigInt, secret -> EncryptedText, pin -> EncryptedText, amount -> EncryptedText, }");
    scene.finds(&[("wrong type", "t.amount"), ("missing", "t.pin")]);
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, secret -> EncryptedText, }",
    );
    scene.finds(&[("missing", "u.secret")]);
    scene.declare("nowhere.t (id) { id -> BigInt, secret -> EncryptedText, }");
    scene.finds(&[("missing", "nowhere.t.secret"), ("undeclared", "t.secret")]);
    scene.run("create view u as select * from t");
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, secret -> EncryptedText, }",
    );
    scene.finds(&[("wrong type", "u.secret")]);
    // A view stores nothing itself.
    scene.declare("t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, secret -> Text, }");
    scene.finds(&[]);
}

#[test]
fn a_column_without_a_guard() {
    let scene = Scene::new();
    scene.run("create table u (id bigint primary key, secret varchar(200), other varchar(200) check (GUARD(other)))");
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ \
         u (id) { id -> BigInt, secret -> EncryptedText, other -> EncryptedText, }",
    );
    scene.finds(&[("unguarded", "u.secret")]);
    scene.run("drop table u");
    scene.run(
        "create table u (id bigint primary key, secret varchar(200), other varchar(200) check (GUARD(other)),
                               constraint u_secret check (secret is null or GUARD(secret)))",
    );
    scene.finds(&[]);
}

/// Follows the advice exactly.
#[test]
fn a_guard_that_the_program_writes() {
    let scene = Scene::new();
    scene.run("create table u (id bigint not null primary key, secret varchar(201))");
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, secret -> EncryptedText, }",
    );
    scene.finds(&[("unguarded", "u.secret")]);
    let json = scene.discover().arg("--json").run().json();
    let advice = json["findings"][0]["advice"].as_str().unwrap();
    let command = advice.split('`').nth(1).and_then(|command| command.strip_prefix("diesel-encrypted ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(command.split(' ')).arg("--dir").arg(folder.path()).database(&scene.db.url());
    program.exits_with(0);
    let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
    scene.db.conn().run_pending_migrations(migrations).unwrap();
    scene.finds(&[]);
}

#[test]
fn a_column_too_short_for_its_tokens() {
    let scene = Scene::new();
    let declare = "t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, pin -> EncryptedText, }";
    scene.declare(declare);
    let too_short = |length: usize, value: &str, detail: &str, advice: &str| {
        let table = format!(
            "create table u (id bigint primary key, pin varchar({length}) check (GUARD(pin) or pin like '{PLAINTEXT}%'))"
        );
        scene.run(&format!("{table}; insert into u values (1, '{value}')"));
        let json = scene.discover().arg("--json").run().json();
        let found = json["findings"].as_array().unwrap().iter().find(|finding| finding["kind"] == "too short");
        if !HAS_LENGTHS {
            assert!(found.is_none());
        } else if detail.is_empty() {
            assert_eq!(found, None);
        } else {
            let found = found.unwrap();
            assert_eq!(found["detail"], detail);
            assert!(found["advice"].as_str().unwrap().starts_with(advice), "{found}");
        }
        scene.run("drop table u");
    };
    let of = |length: usize| format!("{PLAINTEXT}{}", "x".repeat(length - PLAINTEXT.len()));
    too_short(99, "gAAAA", "its length is 99, but its tokens need at least 100", "make it at least 101 long, ");
    too_short(100, &token()[..100], "", "");
    too_short(120, &of(48), "its length is 120, but its tokens need at least 164", "make it at least 165 long, ");
    too_short(165, &of(48), "", "");
    let cut = &keyring([1]).encrypt(of(40).as_bytes())[..121];
    let detail = "its length is 121, and 1 sampled token of that length is truncated";
    too_short(121, cut, detail, "make it at least 141 long, ");
    too_short(122, cut, "", "");
}

#[test]
fn a_trigger_that_copies_an_encrypted_column() {
    let scene = Scene::new();
    scene.run("create table audit (id bigint, secret TYPE)".replace("TYPE", TEXT).as_str());
    for (create, drop) in COPYING_TRIGGERS {
        scene.run(create);
        scene.finds(&[("trigger", "t.secret")]);
        scene.run(drop);
        scene.finds(&[]);
    }
}

#[test]
fn a_trigger_that_does_something_else() {
    let db = migrated();
    let schema = PathBuf::from(SCHEMA_FILE).canonicalize().unwrap();
    for sql in IDLE_TRIGGERS.iter().chain([&MANAGE_UPDATED_AT]) {
        db.conn().batch_execute(sql).unwrap();
    }
    discover(&db).arg("--schema").arg(schema).exits_with(0);
}

#[test]
fn names_of_all_sorts() {
    const TABLE: &str = "odd.\"table\" name";
    const COLUMN: &str = "e`mail's ?.";
    let scene = Scene::new();
    let (table, column, key) = (quoted(TABLE), quoted(COLUMN), quoted("the.ID"));
    scene.run(&format!(
        "create table {table} ({key} bigint primary key, {column} varchar(200) check (GUARD({column})));
         insert into {table} select id, secret from t"
    ));
    let run = scene.discover().arg("--json").exits_with(4);
    let json = run.json();
    assert_eq!((json["findings"].as_array().unwrap().len(), &json["findings"][0]["column"]), (1, &json!(COLUMN)));
    // Follows the advice exactly, in a shell.
    let advice = json["findings"][0]["advice"].as_str().unwrap();
    let ignore = advice.split_once("--ignore ").unwrap().1.strip_suffix('`').unwrap();
    let shell = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {ignore}")).output().unwrap();
    scene.discover().args(["--ignore", std::str::from_utf8(&shell.stdout).unwrap()]).exits_with(0);
    scene.declare(&format!(
        "#[sql_name = {TABLE:?}] odd (id) {{ #[sql_name = \"the.ID\"] id -> BigInt, #[sql_name = {COLUMN:?}] mail -> EncryptedText, }}+ \
         t (id) {{ id -> BigInt, secret -> EncryptedText, }}"
    ));
    scene.finds(&[]);
    scene.run(&format!("create index odd_index on {table} ({column})"));
    let found = scene.findings();
    assert_eq!((found.len(), found[0].0.as_str()), (1, "useless index"));
}

#[test]
fn an_accepted_finding() {
    let scene = Scene::new();
    scene.run("create table u (id bigint primary key, a varchar(200), b varchar(200))");
    scene.run("insert into u select id, secret, secret from t");
    scene.finds(&[("undeclared", "u.a"), ("undeclared", "u.b")]);
    let ignoring = |columns: &[&str]| scene.discover().args(columns.iter().flat_map(|column| ["--ignore", column]));
    let left = ignoring(&["u.b"]).arg("--json").exits_with(4);
    assert_eq!(findings(&scene.db, &left), [("undeclared".to_owned(), "u.a".to_owned())]);
    let with_schema =
        if scene.db.schema().is_empty() { "main.u.b".into() } else { format!("{}u.b", scene.db.schema()) };
    for columns in [["u.a", "u.b"].as_slice(), &["u.a", &with_schema], &["u.*"]] {
        let run = ignoring(columns).exits_with(0);
        run.says("3 columns checked, 1 of them declared as encrypted, 2 findings accepted with --ignore");
    }
    for needless in ["u.id", "u.c", "v.a", "t.secret", "t.*"] {
        let run = ignoring(&["u.*", needless]).arg("--json").exits_with(2);
        assert_eq!(run.stdout, "");
        run.notes("failed", &format!("there is no finding for --ignore {needless}. Remove the option"));
    }
    ignoring(&["u"]).exits_with(2).says("not a column: write TABLE.COLUMN");
    // The declaration of a dropped table.
    scene.declare("t (id) { id -> BigInt, secret -> EncryptedText, }+ gone (id) { id -> BigInt, x -> EncryptedText, }");
    ignoring(&["u.*", "gone.x"]).exits_with(0);
}

/// This does not mean that there are no tokens.
#[test]
fn nothing_is_declared_and_everything_accepted() {
    let scene = Scene::new();
    scene.run("create table u (id bigint primary key, a varchar(200)); insert into u select id, secret from t");
    scene.declare("u (id) { id -> BigInt, a -> Text, }");
    scene.finds(&[("undeclared", "t.secret"), ("undeclared", "u.a")]);
    let ignoring = |columns: &[&str]| {
        let run = scene.discover().args(columns.iter().flat_map(|column| ["--ignore", column])).exits_with(5);
        run.says("there is nothing to compare. The schema file declares no encrypted column, and ")
    };
    ignoring(&["u.a", "t.secret"]).says("and --ignore accepts all 2 findings. Declare columns as ");
    scene.run("drop table u");
    ignoring(&["t.secret"]).says("and --ignore accepts the only finding. Declare columns as ");
}

/// The token is neither at the beginning nor at the end.
#[test]
fn a_token_among_many_nulls() {
    let scene = Scene::new();
    scene.run("create table u (id bigint primary key, note varchar(200), other varchar(200))");
    let rows = (1..=500).map(|id| format!("({id}, null, 'x')")).collect::<Vec<_>>().join(", ");
    scene.run(&format!(
        "insert into u values {rows}; update u set note = (select secret from t where id = 1) where id = 250"
    ));
    scene.finds(&[("undeclared", "u.note")]);
    let json = scene.discover().arg("--json").run().json();
    let detail = json["findings"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("1 of 1 sampled value is a token, "), "{detail}");
}

/// Raw tokens and tokens as text, short ones and some longer than the part that is read.
#[test]
fn tokens_in_a_binary_column() {
    let scene = Scene::new();
    scene.run(&format!("create table u (id bigint primary key, data {})", BYTES));
    let insert = |value: &[u8]| {
        let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        scene.run(&format!("delete from u; insert into u values (1, {})", BYTES_LITERAL.replace("{}", &digits)));
    };
    for length in [0, 1000, 1000 * 1000] {
        let token = keyring([1]).encrypt(&vec![b'x'; length]);
        for value in [raw(&token), token.into_bytes()] {
            insert(&value);
            scene.finds(&[("undeclared", "u.data")]);
            insert(&value[..value.len() - 1]);
            // Without its padding, a text is still a whole token.
            scene.finds(if value.ends_with(b"=") { &[("wrong shape", "u.data")] } else { &[] });
        }
    }
}

#[test]
fn a_thousand_columns() {
    let scene = Scene::new();
    for table in 0..8 {
        let columns: String = (0..125).map(|column| format!(", c{column} {TEXT}")).collect();
        scene.run(&format!(
            "create table t{table} (id bigint primary key{columns}); insert into t{table} (id, c1) values (1, 'x')"
        ));
    }
    scene.run("update t7 set c124 = (select secret from t where id = 1)");
    let run = scene.discover().arg("--json").exits_with(4);
    assert_eq!(findings(&scene.db, &run), [("undeclared".to_owned(), "t7.c124".to_owned())]);
    assert_eq!(run.json()["columns"].as_array().unwrap().len(), 1001);
}

#[test]
fn nothing_to_compare_with() {
    let scene = Scene::new();
    discover(&scene.db).exits_with(5).says(
        "there is no schema file to compare with, because there is no diesel.toml in this folder or above. Pass \
             --schema",
    );
    scene.declare("t (id) { id -> BigInt, secret -> Text, }");
    scene.finds(&[("undeclared", "t.secret")]);
    scene.run("drop table t");
    let run = scene.discover().arg("--json").exits_with(5);
    assert_eq!(run.json(), json!({ "outcome": "refused", "columns": [], "findings": [] }));
    run.notes(
        "failed",
        "there is nothing to compare. The schema file declares no encrypted column, and none of 0 columns",
    );
}

#[test]
fn a_schema_file_that_cannot_be_read() {
    let scene = Scene::new();
    write(scene.schema_file(), "diesel::table! { t (id) { id -> } }");
    scene.discover().exits_with(2).says("is not a Diesel schema file");
}

#[test]
fn an_unreachable_database() {
    let scene = Scene::new();
    let run = scene.discover().args(["--json", "--give-up-after=0"]).database(&unreachable_url()).run();
    assert!([2, 7].contains(&run.code), "{run:?}");
    assert!(run.stdout.is_empty() || run.json()["outcome"] == "failed", "{run:?}");
}

/// The program reads no setting with keys, because a pipeline has none.
#[test]
fn no_keys_are_needed() {
    let scene = Scene::new();
    scene.discover().set("DB_ENCRYPTION_KEYS", "nonsense").exits_with(0);
    scene.discover().keys(&[&key_text(7)]).exits_with(0);
}
