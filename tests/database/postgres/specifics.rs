//! What only PostgreSQL has.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::{Outcome, Task};
use diesel_encrypted::{TableName, Target};

use super::support::TestDatabase;
use crate::common::keyring;

fn task<'a>(schema: &str, table: &str) -> Task<'a> {
    Task::new(keyring([2, 1])).target(Target::named(TableName::in_schema(schema, table), ["secret"]).unwrap())
}

#[test]
fn tables_of_the_same_name_in_two_schemas() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let token = keyring([1]).encrypt(b"x");
    for schema in ["a", "b"] {
        let create = format!("create schema {schema}; create table {schema}.t (id int primary key, secret text)");
        conn.batch_execute(&create).unwrap();
        conn.batch_execute(&format!("insert into {schema}.t values (1, '{token}')")).unwrap();
    }
    let report = task("b", "t").run(&db.pool(1)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].table.as_str()), (Outcome::Proven, "b.t"));
    let read = |schema: &str, conn: &mut PgConnection| -> String {
        let sql = format!("select secret as token from {schema}.t");
        diesel::sql_query(sql).get_result::<Token>(conn).unwrap().token
    };
    assert_eq!(read("a", &mut conn), token);
    assert!(keyring([2]).decrypt(read("b", &mut conn).as_bytes()).is_ok());
}

#[test]
fn a_partitioned_table_is_walked_from_its_parent() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create table t (region text, id int, secret text, primary key (region, id)) partition by list (region);
         create table t_a partition of t for values in ('a');
         create table t_b partition of t for values in ('b')",
    )
    .unwrap();
    for id in 1..=10 {
        let (region, token) = (if id % 2 == 0 { "a" } else { "b" }, keyring([1]).encrypt(b"x"));
        conn.batch_execute(&format!("insert into t values ('{region}', {id}, '{token}')")).unwrap();
    }
    let report = task("public", "t").batch_size(3).run(&db.pool(1)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 10));
}

#[test]
fn a_table_with_children_is_refused() {
    let db = TestDatabase::new();
    // The same row key in both: a page that ends at it would skip one.
    db.conn()
        .batch_execute("create table t (id int primary key, secret text); create table child () inherits (t)")
        .unwrap();
    let error = task("public", "t").run(&db.pool(1)).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("other tables inherit from it"), "{error}");
}

#[test]
fn a_user_who_may_not_write_is_told_so_at_once() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let user = format!("{}_reader", crate::common::unique_name());
    let token = || keyring([1]).encrypt(b"x");
    conn.batch_execute(&format!(
        "create table t (id int primary key, secret text);
         insert into t values (1, '{}'), (2, '{}');
         create role {user} login password 'secret';
         grant select on t to {user}",
        token(),
        token()
    ))
    .unwrap();
    let (_, rest) = db.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let manager = diesel::r2d2::ConnectionManager::<PgConnection>::new(format!("postgres://{user}:secret@{rest}"));
    let pool = diesel::r2d2::Pool::builder().max_size(1).build(manager).unwrap();
    // Neither the tables of the task nor the rows.
    let error = task("public", "t").run(&pool).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("permission denied for schema public"), "{error}");
    let error = task("public", "t").stateless(true).run(&pool).unwrap_err();
    assert!(error.is_database() && error.to_string().contains("permission denied"), "{error}");
    drop(pool);
    conn.batch_execute(&format!("drop owned by {user}; drop role {user}")).unwrap();
}

#[test]
fn row_level_security_is_refused_where_it_hides_rows() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let user = format!("{}_user", crate::common::unique_name());
    conn.batch_execute(&format!(
        "create table t (id int primary key, owner text, secret text);
         alter table t enable row level security;
         create policy own on t using (owner = current_user);
         create role {user} login password 'secret';
         grant select, update on t to {user}"
    ))
    .unwrap();
    let (_, rest) = db.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("postgres://{user}:secret@{rest}");
    let pool = diesel::r2d2::Pool::builder()
        .max_size(1)
        .build(diesel::r2d2::ConnectionManager::<PgConnection>::new(url))
        .unwrap();
    let error = task("public", "t").run(&pool).unwrap_err();
    assert!(error.is_refused(), "{error}");
    assert!(error.to_string().contains("row-level security hides rows from this user"), "{error}");
    // The owner sees everything.
    assert_eq!(task("public", "t").run(&db.pool(1)).unwrap().outcome(), Outcome::Proven);
    drop(pool);
    conn.batch_execute(&format!("drop owned by {user}; drop role {user}")).unwrap();
}

#[test]
fn a_generated_column_is_refused() {
    let db = TestDatabase::new();
    let sql = "create table t (id int primary key, base text, secret text generated always as (upper(base)) stored)";
    db.conn().batch_execute(sql).unwrap();
    let error = task("public", "t").run(&db.pool(1)).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("it is generated by the database"), "{error}");
}

#[derive(QueryableByName)]
struct Token {
    #[diesel(sql_type = diesel::sql_types::Text)]
    token: String,
}
