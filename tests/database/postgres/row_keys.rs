//! Row keys whose order, operators or types are unusual, and indexes that are damaged.

use diesel::connection::SimpleConnection;
use diesel_encrypted::reencrypt::{Doubt, Refusal, Task};

use crate::backend::TestDatabase;
use crate::suite::row_keys::{insert, refused, rotate_all};
use crate::suite::sql;
use crate::support::keys::keyring;

/// The statements that create a table `t`, and the values of its column `id`.
const TABLES: &[(&str, &[&str])] = &[
    (
        "create schema x; create extension citext schema x; create domain login as x.citext;
         create table t (id login primary key, secret text)",
        &["'a'", "'B'", "'c'", "'Yak'", "'z'"],
    ),
    (
        "create type size as enum ('s', 'm', 'l'); create domain sold as size;
         create table t (id sold primary key, secret text)",
        &["'s'", "'m'", "'l'"],
    ),
    (
        "create schema x; create extension citext schema x; create type pair as (name x.citext, number float);
         create table t (id pair primary key, secret text)",
        &["'(a,0.1)'", "'(B,)'", "'(c,NaN)'", "'(\"d,\",1)'"],
    ),
    (
        "create schema x; create extension hstore schema x; create table t (id x.hstore primary key, secret text)",
        &["'a=>1'", "'b=>NULL'", "'\"a b\"=>\"c\"'"],
    ),
    (
        "create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table t (id text collate caseless primary key, secret text)",
        &["'a'", "'B'", "'c'", "'Straße'", "'x'", "'Y'"],
    ),
    (
        "create table t (id text collate \"de-x-icu\" not null, secret text);
         create unique index on t (id collate \"C\")",
        &["'a'", "'B'", "'ä'", "'Z'", "'b'"],
    ),
    (
        "create table t (id text collate \"de-x-icu\" not null, secret text);
         create unique index on t (id text_pattern_ops desc)",
        &["'a'", "'B'", "'ä'", "'Z'"],
    ),
    ("create table t (id int primary key deferrable initially deferred, secret text)", &["3", "1", "2"]),
];

#[test]
fn of_types_and_indexes_of_ones_own() {
    for (table, values) in TABLES {
        let db = TestDatabase::new();
        db.conn().batch_execute(table).unwrap();
        rotate_all(&db, table, values);
    }
}

#[test]
fn a_domain_that_refuses_its_old_values() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let allow = "create or replace function public.allows(text) returns bool language sql as";
    conn.batch_execute(&format!(
        "{allow} 'select true'; create domain name as text check (public.allows(value));
         create table t (id public.name primary key, secret text)"
    ))
    .unwrap();
    for id in ["'a'", "'b'", "'c'"] {
        insert(&mut conn, "id", id, "x");
    }
    conn.batch_execute(&format!("{allow} 'select false'")).unwrap();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(2);
    assert!(task.run(&db.pool(1)).unwrap().is_proven());
}

#[test]
fn indexes_that_identify_no_row() {
    for index in [
        "create unique index u on t (id); update pg_index set indisvalid = false where indexrelid = 'u'::regclass",
        "create unique index u on t (id); update pg_index set indisready = false where indexrelid = 'u'::regclass",
        "create unique index u on t (id) where id > 1",
        "create unique index u on t (abs(id))",
        "create extension btree_gist; alter table t add exclude using gist (id with =)",
    ] {
        let db = TestDatabase::new();
        db.conn().batch_execute(&format!("create table t (id int not null, secret text); {index}")).unwrap();
        let (refusal, text) = refused(&db);
        assert!(matches!(refusal, Refusal::NoRowKey { unusable: None, .. }), "{index}: {text}");
    }
}

#[test]
fn an_index_without_a_complete_order_is_named() {
    let db = TestDatabase::new();
    db.conn()
        .batch_execute(
            "create operator class partly for type int using btree as
                 operator 1 <, operator 3 =, function 1 btint4cmp(int, int);
             create table t (id int not null, secret text); create unique index on t (id partly)",
        )
        .unwrap();
    let (_, text) = refused(&db);
    assert!(text.contains("the type pg_catalog.int4 of its column id has no complete order in the index"), "{text}");
}

/// Creates a table `t` with an index that PostgreSQL takes for unique, and with these ids.
fn with_a_damaged_index(ids: &[i32]) -> TestDatabase {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute("create table t (id int not null, secret text); create index u on t (id)").unwrap();
    for id in ids {
        insert(&mut conn, "id", &id.to_string(), "x");
    }
    conn.batch_execute("update pg_index set indisunique = true where indexrelid = 'u'::regclass").unwrap();
    db
}

#[test]
fn a_row_key_that_exists_twice() {
    for ids in [&[1, 2, 2, 3, 4][..], &[1, 1], &[1, 2, 3, 4, 4], &[1, 2, 3, 4, 5, 5, 5, 6]] {
        let db = with_a_damaged_index(ids);
        let (refusal, text) = refused(&db);
        assert!(matches!(refusal, Refusal::Row { .. }), "{ids:?}: {text}");
        db.conn().batch_execute("delete from t where ctid not in (select min(ctid) from t group by id)").unwrap();
        let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap());
        assert!(task.run(&db.pool(1)).unwrap().is_proven());
    }
}

/// The sample before the first write reads 100 rows at either end of a table.
#[test]
fn a_row_key_that_exists_twice_in_the_middle() {
    let ids: Vec<i32> = (1..=300).chain([150]).collect();
    let db = with_a_damaged_index(&ids);
    for size in [1, 2, 3, 150, 1000] {
        let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(size);
        let error = task.run(&db.pool(1)).unwrap_err();
        let Some(Refusal::Row { row, .. }) = error.refusal() else { panic!("{size}: {error}") };
        assert_eq!(row, "id=150", "{size}");
    }
}

/// As after an upgrade of the system, when a collation sorts differently from before. The server leaves out the rows that
/// are in the wrong place, so no page shows them: the count does.
#[test]
fn an_index_in_another_order_than_its_operators() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create function compare(int, int) returns int language sql immutable as 'select btint4cmp($2, $1)';
         create operator class turned for type int using btree as
             operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 compare(int, int);
         create table t (id int not null, secret text); create unique index on t (id turned)",
    )
    .unwrap();
    for id in 1..=250 {
        insert(&mut conn, "id", &id.to_string(), "x");
    }
    // Otherwise the server would read such a small table without the index, and sort.
    let name = sql::text(&mut conn, "select current_database()::text");
    for setting in ["enable_seqscan", "enable_sort", "enable_bitmapscan"] {
        conn.batch_execute(&format!("alter database {name} set {setting} = off")).unwrap();
    }
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(2);
    let report = task.run(&db.pool(1)).unwrap();
    assert!(matches!(report.doubt(), Some(Doubt::Miscounted { counted: 250, .. })), "{:?}", report.doubt());
}

#[test]
fn operators_that_disagree() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create function more(int, int) returns bool language sql immutable as 'select $1 > $2 and $1 <> 8';
         create operator >>> (leftarg = int, rightarg = int, function = more);
         create operator class lossy for type int using btree as
             operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >>>, function 1 btint4cmp(int, int);
         create table t (id int not null, secret text); create unique index on t (id lossy)",
    )
    .unwrap();
    for id in 1..=10 {
        insert(&mut conn, "id", &id.to_string(), "x");
    }
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).batch_size(3);
    let error = task.run(&db.pool(1)).unwrap_err();
    let Some(Refusal::Row { row, reason, .. }) = error.refusal() else { panic!("{error}") };
    assert_eq!(row, "id=8");
    assert!(reason.contains("sorts it differently from how it compares it"), "{reason}");
}
