//! What `discover` examines on PostgreSQL only.

use crate::backend::LimitedUser;
use crate::suite::program::scene::{Scene, token};

#[test]
fn columns_of_other_schemas() {
    let scene = Scene::new();
    scene.run(
        "create schema app; create table app.\"Users\" (id bigint primary key, email text);
               insert into app.\"Users\" select id, secret from t",
    );
    scene.finds(&[("undeclared", "app.Users.email")]);
    let t = "t (id) { id -> BigInt, secret -> EncryptedText, }";
    scene.declare(&format!("{t}+ #[sql_name = \"Users\"] app.users (id) {{ id -> BigInt, email -> EncryptedText, }}"));
    scene.finds(&[("unguarded", "app.Users.email")]);
    // The schema file declares the table in a schema that is not in the search path.
    scene.declare(&format!("{t}+ #[sql_name = \"Users\"] users (id) {{ id -> BigInt, email -> EncryptedText, }}"));
    scene.finds(&[("missing", "Users.email"), ("undeclared", "app.Users.email")]);
    let json = scene.discover().arg("--json").run().json();
    assert!(json["findings"][0]["detail"].as_str().unwrap().ends_with(" only as app.Users"), "{json}");
    let path = format!("{}?options=-c%20search_path%3Dpublic,app", scene.db.url());
    let run = scene.discover().arg("--json").database(&path).exits_with(4);
    assert_eq!(run.json()["findings"][0]["kind"], "unguarded");
}

/// After a restore, for example. It holds nothing, so there is nothing to find.
#[test]
fn a_materialized_view_that_was_never_refreshed() {
    let scene = Scene::new();
    scene.run("create materialized view stats as select secret as copied from t with no data");
    scene.declare("t (id) { id -> BigInt, secret -> EncryptedText, }");
    let before = scene.discover().run();
    assert!(!before.stdout.contains("not read"), "{before:?}");
    scene.run("refresh materialized view stats");
    scene.finds(&[("undeclared", "stats.copied")]);
}

#[test]
fn a_partitioned_table_is_one_table() {
    let scene = Scene::new();
    scene.run(&format!(
        "create table p (id bigint, email text check (GUARD(email)), updated_at timestamp) partition by list (id);
         create table p_1 partition of p for values in (1);
         create table p_2 partition of p for values in (2);
         insert into p values (1, '{}'), (2, '{}')",
        token(),
        token()
    ));
    scene.finds(&[("undeclared", "p.email")]);
    scene
        .declare("t (id) { id -> BigInt, secret -> EncryptedText, }+ p (id) { id -> BigInt, email -> EncryptedText, }");
    scene.finds(&[]);
    scene.run("create index on p (email)");
    scene.finds(&[("useless index", "p.email")]);
    scene.run("drop index p_email_idx; create index on p_2 (email)");
    scene.finds(&[("useless index", "p.email")]);
    scene.run(
        "drop index p_2_email_idx; create table audit (row jsonb);
               create function copy() returns trigger language plpgsql as
               $$ begin insert into audit values (to_jsonb(new)); return new; end $$;
               create trigger copy after insert on p for each row execute function copy()",
    );
    scene.finds(&[("trigger", "p.email")]);
    scene.run("drop trigger copy on p; create trigger copy after insert on p_1 for each row execute function copy()");
    scene.finds(&[("trigger", "p.email")]);
    scene.run("alter table p_1 disable trigger copy");
    scene.finds(&[]);
}

#[test]
fn a_table_with_children_is_read_without_them() {
    let scene = Scene::new();
    scene.run(
        "create table parent (id bigint, note text); create table child () inherits (parent);
               insert into child select id, secret from t",
    );
    scene.finds(&[("undeclared", "child.note")]);
}

#[test]
fn a_guard_by_way_of_a_domain() {
    let scene = Scene::new();
    scene.run(
        "create domain token as text check (GUARD(value)); create domain narrow as token;
               create table u (id bigint primary key, a narrow, b text check (b::token is not null), c text);
               create schema app; create domain app.word as varchar(90) check (value <> 'gAAAA');
               create table v (id bigint primary key, a app.word)",
    );
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ \
         u (id) { id -> BigInt, a -> EncryptedText, b -> EncryptedText, c -> EncryptedText, }+ \
         v (id) { id -> BigInt, a -> EncryptedText, }",
    );
    scene.finds(&[("unguarded", "u.c"), ("unguarded", "v.a"), ("too short", "v.a")]);
    scene.run(
        "alter table u add constraint u_c check (GUARD(c)) not valid; drop table v; create table v (id bigint, a narrow)",
    );
    scene.finds(&[("unguarded", "u.c")]);
    let json = scene.discover().arg("--json").run().json();
    assert!(json["findings"][0]["detail"].as_str().unwrap().starts_with("its guard is not validated"), "{json}");
    scene.run("alter table u validate constraint u_c");
    scene.finds(&[]);
}

#[test]
fn an_array_and_a_materialized_view() {
    let scene = Scene::new();
    scene.run(
        "create table u (id bigint primary key, tags text[]); create materialized view m as select * from t;
               insert into u select 1, array[null, secret] from t where id = 1",
    );
    scene.finds(&[("undeclared", "m.secret"), ("undeclared", "u.tags")]);
    let json = scene.discover().arg("--json").run().json();
    let detail = |index: usize| json["findings"][index]["detail"].as_str().unwrap();
    assert!(detail(0).starts_with("2 of 2 sampled values in a materialized view are tokens, "), "{json}");
    assert!(detail(1).starts_with("1 of 1 sampled value is a token, "), "{json}");
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, tags -> Array<Nullable<EncryptedText>>, }+ \
         m (id) { id -> BigInt, secret -> EncryptedText, }",
    );
    scene.finds(&[("wrong type", "m.secret"), ("unguarded", "u.tags")]);
    scene.run(
        "create domain token as text check (GUARD(value)); alter table u alter tags type token[];
         create domain tokens as token[]; alter table u add more tokens",
    );
    scene.finds(&[("wrong type", "m.secret"), ("undeclared", "u.more")]);
}

#[test]
fn tables_that_this_user_cannot_read() {
    let scene = Scene::new();
    scene.run("create table hidden (id bigint primary key, a text, b text)");
    let user = LimitedUser::new(&scene.db, &["t"]);
    let run = scene.discover().arg("--json").database(&user.url()).exits_with(4);
    let json = run.json();
    let finding = &json["findings"][0];
    assert_eq!((&finding["kind"], &finding["column"]), (&"not read".into(), &"*".into()), "{json}");
    assert_eq!(finding["detail"], "permission denied for table hidden");
    scene.discover().database(&user.url()).args(["--ignore", "hidden.*"]).exits_with(0);
    // Nor may the user bypass row-level security, so rows would be hidden.
    scene.run("drop table hidden; alter table t enable row level security");
    let run = scene.discover().arg("--json").database(&user.url()).exits_with(4);
    let detail = run.json()["findings"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("row-level security"), "{detail}");
}

/// Whether a value is `NULL` is not a secret.
#[test]
fn an_index_of_rows_with_a_value() {
    let scene = Scene::new();
    scene.run("create index present on t (amount) where secret is not null");
    scene.finds(&[]);
}
