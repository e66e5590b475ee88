//! What `discover` examines on MySQL and MariaDB only.

use diesel::connection::SimpleConnection;

use crate::backend::{LimitedUser, TestDatabase, is_mariadb};
use crate::suite::program::scene::Scene;

#[test]
fn a_table_of_another_database() {
    let (scene, other) = (Scene::new(), TestDatabase::new());
    let schema = other.schema();
    let schema = schema.trim_end_matches('.');
    other.conn().batch_execute("create table u (id bigint primary key, email varchar(200))").unwrap();
    let t = "t (id) { id -> BigInt, secret -> EncryptedText, }";
    scene.declare(&format!("{t}+ {schema}.u (id) {{ id -> BigInt, email -> EncryptedText, }}"));
    scene.finds(&[("unguarded", &format!("{schema}.u.email"))]);
    scene.declare(&format!("{t}+ u (id) {{ id -> BigInt, email -> EncryptedText, }}"));
    let json = scene.discover().arg("--json").exits_with(4).json();
    assert_eq!(json["findings"][0]["kind"], "missing");
}

#[test]
fn triggers_that_this_user_is_not_shown() {
    let scene = Scene::new();
    let user = LimitedUser::new(&scene.db, &["t"]);
    scene.discover().database(&user.url()).exits_with(0);
    let (name, table) = (user.name(), format!("{}t", scene.db.schema()));
    scene.run(&format!("revoke trigger, insert, update, delete on {table} from {name}"));
    let run = scene.discover().arg("--json").database(&user.url()).exits_with(4);
    // The program still sees the guard.
    let json = run.json();
    assert_eq!((json["findings"].as_array().unwrap().len(), &json["findings"][0]["kind"]), (1, &"not read".into()));
    let detail = json["findings"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("this user cannot see the triggers of the table"), "{detail}");
    scene.discover().database(&user.url()).args(["--ignore", "t.*"]).exits_with(0);
}

/// The character set of a column does not matter, and neither does a backslash in a trigger.
#[test]
fn character_sets_and_escapes() {
    let scene = Scene::new();
    scene.run(
        "create table u (id bigint primary key, a varchar(200) character set utf16, b text character set latin1);
               insert into u select id, secret, secret from t where id = 1",
    );
    scene.finds(&[("undeclared", "u.a"), ("undeclared", "u.b")]);
    scene.run("drop table u; create table audit (id bigint, note text)");
    scene.run(
        r"create trigger log_it after update on t for each row insert into audit values (new.id, 'it\'s new.secret')",
    );
    // MySQL shows the trigger without the backslash, which makes the text ambiguous.
    scene.finds(if is_mariadb() { &[] } else { &[("trigger", "t.secret")] });
}

/// An index on another column, with a text that MySQL's catalogue escapes.
#[test]
fn indexes_on_expressions() {
    if is_mariadb() {
        return; // MariaDB has no indexes on expressions.
    }
    let scene = Scene::new();
    scene.run("alter table t add index by_expression ((concat(amount, 'it''s')))");
    scene.finds(&[]);
    scene.run("drop index by_expression on t; alter table t add index by_expression ((concat(left(secret, 5), 'x')))");
    scene.finds(&[("useless index", "t.secret")]);
}

/// The words may be part of a text, of a comment or of the statement.
#[test]
fn triggers_with_texts_and_comments() {
    let scene = Scene::new();
    scene.run("create table audit (id bigint, note text)");
    for body in [
        "-- what was put into\n insert into audit values (new.id, new.secret)",
        "insert into audit values (new.id, concat('it''s', new.secret, 'it''s'))",
        "insert into audit values (new.id, /* old.secret = */ new.secret)",
    ] {
        scene.run(&format!("create trigger log_it after update on t for each row {body}"));
        scene.finds(&[("trigger", "t.secret")]);
        scene.run("drop trigger log_it");
    }
}

/// In this case MariaDB does not show the definition of the table.
#[test]
fn a_table_of_which_this_user_may_read_some_columns_only() {
    let scene = Scene::new();
    let user = LimitedUser::new(&scene.db, &["t"]);
    let (name, table) = (user.name(), format!("{}t", scene.db.schema()));
    scene.run(&format!(
        "revoke select, insert, update, delete, trigger on {table} from {name};
         grant select (id, secret) on {table} to {name}"
    ));
    let json = scene.discover().arg("--json").database(&user.url()).exits_with(4).json();
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["kind"] == "not read" && finding["column"] == "*"), "{json}");
    let detail = |finding: &serde_json::Value| finding["detail"].as_str().unwrap().to_owned();
    let reason = "this user cannot see whether its columns have guards: ";
    let hidden = findings.iter().filter(|finding| detail(finding).starts_with(reason)).count();
    assert_eq!((hidden, findings.len()), (usize::from(is_mariadb()), 1 + usize::from(is_mariadb())), "{json}");
    assert_eq!(json["columns"][0]["tokens"], 2);
}
