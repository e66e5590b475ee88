//! Contents that PostgreSQL allows: databases without an encoding, and documents of several types.

use diesel::PgConnection;
use diesel::connection::{Connection, SimpleConnection};
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Job, Outcome, ProblemKind, Task};

use crate::backend::TestDatabase;
use crate::suite::program::scene::{Scene, token};
use crate::suite::sql::text;
use crate::support::keys::keyring;

/// A database of its own, which stores bytes as they come.
struct WithoutEncoding {
    server: TestDatabase,
    name: String,
}

impl WithoutEncoding {
    fn new() -> Self {
        let server = TestDatabase::new();
        let (_, name) = server.url().rsplit_once('/').map(|(_, name)| ((), format!("{name}_ascii"))).unwrap();
        let sql = format!("create database {name} encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0");
        server.conn().batch_execute(&sql).unwrap();
        Self { server, name }
    }

    fn url(&self) -> String {
        format!("{}/{}", self.server.url().rsplit_once('/').unwrap().0, self.name)
    }
}

impl Drop for WithoutEncoding {
    fn drop(&mut self) {
        let _ = self.server.conn().batch_execute(&format!("drop database {} with (force)", self.name));
    }
}

#[test]
fn a_database_without_an_encoding() {
    let db = WithoutEncoding::new();
    let conn = &mut PgConnection::establish(&db.url()).unwrap();
    let token = keyring([1]).encrypt(b"sealed");
    conn.batch_execute(&format!(
        r#"create table t (id bigint primary key, secret varchar(400), scan bytea);
          insert into t values (1, E'caf\xe9', '\xe9'), (2, 'café', '\x00'), (3, '{token}', null), (4, E'\xff"{token}"', '')"#
    ))
    .unwrap();
    let pool = Pool::builder().max_size(2).build(ConnectionManager::<PgConnection>::new(db.url())).unwrap();
    let before = [1, 4].map(|id| text(conn, &format!("select encode(secret::bytea, 'hex') from t where id = {id}")));
    let targets = || ["t.secret", "t.scan"].map(|column| column.parse().unwrap());
    for job in [Job::Encrypt, Job::Reencrypt, Job::Encrypt] {
        let report = Task::new(keyring([2, 1])).job(job).targets(targets()).accept_tokens().run(&pool).unwrap();
        assert_eq!(report.outcome(), Outcome::Proven);
        let problems: Vec<_> = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect();
        let first = if job == Job::Encrypt { ProblemKind::NotText } else { ProblemKind::Plaintext };
        assert_eq!(problems, [("id=1", first), ("id=4", ProblemKind::Misshapen)]);
        let now = [1, 4].map(|id| text(conn, &format!("select encode(secret::bytea, 'hex') from t where id = {id}")));
        assert_eq!(now, before);
    }
    let sealed = text(conn, "select secret from t where id = 2");
    assert_eq!(keyring([2]).decrypt(sealed.as_bytes()).unwrap(), "café".as_bytes());
}

/// A server sends no array that its client cannot read. An array of valid text is read.
#[test]
fn arrays_in_a_database_without_an_encoding() {
    let db = WithoutEncoding::new();
    let conn = &mut PgConnection::establish(&db.url()).unwrap();
    let token = keyring([1]).encrypt(b"sealed");
    conn.batch_execute(&format!(
        r#"create table t (id bigint primary key, secret text[]);
          insert into t values (1, array['{token}', 'café']), (2, array['{token}', E'caf\xe9'])"#
    ))
    .unwrap();
    let pool = Pool::builder().max_size(2).build(ConnectionManager::<PgConnection>::new(db.url())).unwrap();
    let task = || Task::new(keyring([2, 1])).target("t.secret".parse().unwrap());
    let all = "select string_agg(encode(array_to_string(secret, ' ')::bytea, 'hex'), ' ' order by id) from t";
    let before = text(conn, all);
    let error = task().run(&pool).unwrap_err().to_string();
    assert!(error.contains("invalid byte sequence"), "{error}");
    assert_eq!(text(conn, all), before);
    conn.batch_execute("delete from t where id = 2").unwrap();
    let report = task().run(&pool).unwrap();
    let problems: Vec<_> = report.problems().iter().map(|problem| (problem.row.as_str(), problem.kind)).collect();
    assert_eq!(problems, [("id=1, secret[2]", ProblemKind::Plaintext)]);
    let element = text(conn, "select secret[1] from t");
    assert_eq!(keyring([2]).decrypt(element.as_bytes()).unwrap(), b"sealed");
}

#[test]
fn documents_of_every_type() {
    let scene = Scene::new();
    scene.run(&format!(
        "create extension hstore;
         create table u (id bigint primary key, a jsonb, b jsonb[], c xml, d hstore, e text[]);
         insert into u values (1, jsonb_build_object('data', jsonb_build_array('{t}', 1)), array['\"{t}\"'::jsonb],
                               '<a>{t}</a>', hstore('k', '{t}'), array[' {t}'])",
        t = token()
    ));
    let columns = ["u.a", "u.b", "u.c", "u.d", "u.e"];
    scene.finds(&columns.map(|column| ("wrong shape", column)));
    let json = scene.discover().arg("--json").run().json();
    let detail = json["findings"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("1 of 1 sampled value in a column of the type jsonb holds a token"), "{detail}");
    let error = Task::new(keyring([2, 1])).target("u.a".parse().unwrap()).run(&scene.db.pool(1)).unwrap_err();
    assert!(error.to_string().contains("u.a cannot be a target: its type is jsonb"), "{error}");
}
