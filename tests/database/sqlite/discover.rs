//! What `discover` examines on SQLite only.

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel_encrypted::discover::Discovery;

use crate::suite::program::scene::{Scene, token};

#[derive(Debug)]
struct Attach(String);

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Attach {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        conn.batch_execute(&self.0).map_err(diesel::r2d2::Error::QueryError)
    }
}

#[test]
fn a_database_that_is_attached() {
    let scene = Scene::new();
    let attach = format!(
        "attach ':memory:' as \"other one\"; create table \"other one\".u (id integer primary key, note text unique);
         insert into \"other one\".u values (1, '{}')",
        token()
    );
    let manager = ConnectionManager::<SqliteConnection>::new(scene.db.url());
    let pool = Pool::builder().max_size(1).connection_customizer(Box::new(Attach(attach))).build(manager).unwrap();
    let found = |columns: &[&str]| {
        let columns = columns.iter().map(|column| column.parse().unwrap());
        let discovered = Discovery::new().declared(columns).run(&pool).unwrap();
        discovered.findings.iter().map(|it| format!("{}.{} {}", it.table, it.column, it.kind)).collect::<Vec<_>>()
    };
    assert_eq!(found(&["main.t.secret"]), ["other one.u.note undeclared"]);
    assert_eq!(
        found(&["T.Secret", "\"other one\".u.note"]),
        ["other one.u.note unguarded", "other one.u.note useless index"]
    );
    assert_eq!(found(&["t.secret", "u.note"]), ["other one.u.note undeclared", "u.note missing"]);
}

#[test]
fn tables_of_all_sorts() {
    let scene = Scene::new();
    scene.run(
        "create table w (id text primary key, note text) without rowid;
               create virtual table f using fts5(note);
               create view broken as select * from nowhere;
               insert into f values ('x'); insert into w select id, secret from t where id = 1",
    );
    scene.finds(&[("undeclared", "w.note")]);
    scene.declare(
        "t (id) { id -> BigInt, secret -> EncryptedText, }+ f (id) { id -> BigInt, note -> EncryptedText, }+ \
                   w (id) { id -> BigInt, note -> EncryptedText, }",
    );
    scene.finds(&[("wrong type", "f.note"), ("unguarded", "w.note")]);
}

/// Whether a value is `NULL` is not a secret.
#[test]
fn an_index_of_rows_with_a_value() {
    let scene = Scene::new();
    scene.run("create index present on t (amount) where secret is not null");
    scene.finds(&[]);
}

/// In SQLite a type is only a preference. A column of any type keeps a token.
#[test]
fn tokens_in_a_column_of_any_type() {
    let scene = Scene::new();
    scene.run(
        "create table u (id integer primary key, a json, b string, c datetime, d int, e real, f boolean,
                         g text generated always as (a));
         insert into u (id, a) select 10 * id, secret from t where id = 1;
         update u set b = a, c = a, d = a, e = a; insert into u values (1, '{}', 'x', date(), 2, 3.5, true)",
    );
    let columns = ["u.a", "u.b", "u.c", "u.d", "u.e"];
    scene.finds(&columns.map(|column| ("undeclared", column)));
    let json = scene.discover().arg("--json").run().json();
    assert_eq!(
        json["findings"][0]["detail"],
        "1 of 2 sampled values in a column of the type json is a token, but the column is not declared as encrypted"
    );
    let advice = json["findings"][0]["advice"].as_str().unwrap();
    assert!(advice.contains("keep each value in a text or binary column of a table"), "{advice}");
    scene.declare("t (id) { id -> BigInt, secret -> EncryptedText, }+ u (id) { id -> BigInt, a -> EncryptedText, }");
    let json = scene.discover().arg("--json").run().json();
    let finding = &json["findings"][0];
    let expected = "it is declared, but its type is json, which holds neither text nor bytes";
    assert_eq!((&finding["kind"], &finding["detail"]), (&"wrong type".into(), &expected.into()), "{json}");
}
