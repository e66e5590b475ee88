//! Features of PostgreSQL only.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Doubt, Outcome, Progress, Task};
use diesel_encrypted::{TableName, Target};

use crate::backend::TestDatabase;
use crate::suite::program::vault::Vault;
use crate::suite::{sql, traps};
use crate::support::keys::keyring;
use crate::support::private_server::PrivateServer;

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
    let read = |schema: &str, conn: &mut PgConnection| sql::text(conn, &format!("select secret from {schema}.t"));
    assert_eq!(read("a", &mut conn), token);
    assert!(keyring([2]).decrypt(read("b", &mut conn).as_bytes()).is_ok());
}

/// A table `t` of two partitions, with this many rows.
fn regions(rows: i32) -> TestDatabase {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    conn.batch_execute(
        "create table t (region text, id int, secret text, primary key (region, id)) partition by list (region);
         create table t_a partition of t for values in ('a');
         create table t_b partition of t for values in ('b')",
    )
    .unwrap();
    for id in 1..=rows {
        let (region, token) = (if id % 2 == 0 { "a" } else { "b" }, keyring([1]).encrypt(b"x"));
        conn.batch_execute(&format!("insert into t values ('{region}', {id}, '{token}')")).unwrap();
    }
    db
}

#[test]
fn a_partitioned_table_is_read_through_its_parent() {
    let db = regions(10);
    let report = task("public", "t").batch_size(3).run(&db.pool(1)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 10));
}

#[test]
fn a_table_with_children_is_refused() {
    let db = TestDatabase::new();
    // The same row key can occur in both tables, so a page that ends at it would skip a row.
    db.conn()
        .batch_execute("create table t (id int primary key, secret text); create table child () inherits (t)")
        .unwrap();
    let error = task("public", "t").run(&db.pool(1)).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("other tables inherit from it"), "{error}");
}

/// The operators of the index lose rows. Only the count of the rows shows it.
#[test]
fn rows_that_the_walk_does_not_reach() {
    let db = TestDatabase::new();
    db.conn()
        .batch_execute(
            "create function less(int, int) returns bool language sql immutable as 'select $1 < $2';
             create function more(int, int) returns bool language sql immutable as 'select $1 > $2 and $1 < 8';
             create function at_least(int, int) returns bool language sql immutable as 'select $1 >= $2 and $1 < 8';
             create operator >>= (leftarg = int, rightarg = int, function = at_least);
             create operator <<< (leftarg = int, rightarg = int, function = less);
             create operator >>> (leftarg = int, rightarg = int, function = more);
             create operator class lossy for type int using btree as
                 operator 1 <<<, operator 2 <=, operator 3 =, operator 4 >>=, operator 5 >>>, function 1 btint4cmp(int, int);
             create table t (id int not null, secret text); create unique index on t (id lossy)",
        )
        .unwrap();
    for id in 1..=10 {
        let token = keyring([1]).encrypt(b"x");
        db.conn().batch_execute(&format!("insert into t values ({id}, '{token}')")).unwrap();
    }
    let report = task("public", "t").batch_size(3).run(&db.pool(2)).unwrap();
    let Some(Doubt::Miscounted { counted: 10, read: 7, .. }) = report.doubt() else { panic!("{:?}", report.doubt()) };
    assert_eq!(report.outcome(), Outcome::Incomplete);
    db.conn().batch_execute("drop index t_id_idx; alter table t add primary key (id)").unwrap();
    assert!(task("public", "t").batch_size(3).run(&db.pool(2)).unwrap().is_proven());
}

/// Such a client runs statements like any other one, although the server calls it a walsender.
#[test]
fn a_client_of_the_replication_protocol_counts() {
    let db = TestDatabase::new();
    db.conn().batch_execute("create table t (id int primary key, secret text)").unwrap();
    // Diesel uses the extended protocol, which the server refuses here.
    let mut client = Command::new("psql")
        .args(["-X", "-q", "-d", &format!("{}?replication=database", db.url())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    let token = keyring([1]).encrypt(b"x");
    writeln!(input, "begin; insert into t values (1, '{token}');\n\\echo written").unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "written");
    let report = task("public", "t").fence_timeout(Duration::ZERO).run(&db.pool(2)).unwrap();
    assert!(matches!(report.doubt(), Some(Doubt::Open(_))), "{:?}", report.doubt());
    writeln!(input, "commit;").unwrap();
    drop(input);
    assert!(client.wait().unwrap().success());
    let report = task("public", "t").run(&db.pool(2)).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 1));
}

#[test]
fn a_superuser_over_tables_of_others_is_warned() {
    let vault = Vault::sealed(1, 1..=3);
    let owner = format!("{}_owner", crate::support::unique_name());
    let conn = &mut vault.db.conn();
    let warning = "this user is a superuser, and the table belongs to somebody else";
    let run = vault.program(&["reencrypt"], &[2, 1]).exits_with(0);
    assert!(!run.stderr.contains(warning), "{}", run.stderr);
    conn.batch_execute(&format!("create role {owner}; alter table vault owner to {owner}")).unwrap();
    vault.program(&["reencrypt"], &[3, 2]).exits_with(0).says(warning);
    conn.batch_execute(&format!("drop owned by {owner}; drop role {owner}")).unwrap();
}

/// Rows that move behind the walk are missed by it, and found by the proof.
#[test]
fn partitions_and_keys_that_change_during_the_walk() {
    let changes = [
        "update t set region = 'a', id = -id where region = 'b' and id > 40",
        "alter table t detach partition t_b; alter table t attach partition t_b for values in ('b')",
        "create table t_c (like t including all); insert into t_c select 'c', id, secret from t where id > 40;
         alter table t attach partition t_c for values in ('c')",
        "truncate t_b",
        "alter table t rename to was; create table t (like was including all);
         insert into t select * from was; drop table was",
    ];
    for change in changes {
        let db = regions(60);
        let mut conn = db.conn();
        let mut is_changed = false;
        let observer = |progress: &Progress| {
            if progress.rewritten > 0 && !progress.is_proving && !std::mem::replace(&mut is_changed, true) {
                conn.batch_execute(change).unwrap();
            }
        };
        let task = task("public", "t").batch_size(1).max_rows_per_second(50).on_progress(observer);
        let result = task.run(&db.pool(2));
        assert!(is_changed, "{change}");
        let proven = result.as_ref().is_ok_and(|report| report.is_proven());
        let left = sql::texts(&mut db.conn(), "select secret from t");
        let is_done = left.iter().all(|token| keyring([2]).decrypt(token.as_bytes()).is_ok());
        // It is proven and true, or not proven.
        assert!(!proven || is_done, "{change}: {result:?}");
        assert!(left.iter().all(|token| keyring([2, 1]).decrypt(token.as_bytes()).is_ok()), "{change}");
    }
}

#[test]
fn a_user_who_may_not_write_is_refused_at_once() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let user = format!("{}_reader", crate::support::unique_name());
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
    let pool = pool_of(&db, &user, 1);
    // The user may write neither the tables of the task nor the rows.
    let error = task("public", "t").run(&pool).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("permission denied for table t"), "{error}");
    let error = task("public", "t").stateless(true).run(&pool).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("permission denied"), "{error}");
    drop(pool);
    conn.batch_execute(&format!("drop owned by {user}; drop role {user}")).unwrap();
}

#[test]
fn row_level_security_is_refused_where_it_hides_rows() {
    let db = TestDatabase::new();
    let mut conn = db.conn();
    let user = format!("{}_user", crate::support::unique_name());
    conn.batch_execute(&format!(
        "create table t (id int primary key, owner text, secret text);
         alter table t enable row level security;
         create policy own on t using (owner = current_user);
         create role {user} login password 'secret';
         grant select, update on t to {user}"
    ))
    .unwrap();
    let pool = pool_of(&db, &user, 1);
    let error = task("public", "t").run(&pool).unwrap_err();
    assert!(error.is_refused(), "{error}");
    assert!(error.to_string().contains("row-level security hides rows from this user"), "{error}");
    // The owner sees every row.
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

/// Returns connections of a user whose password is `secret`.
fn pool_of(db: &TestDatabase, user: &str, connections: u32) -> Pool<ConnectionManager<PgConnection>> {
    let url = db.url();
    let (_, rest) = url.split_once('@').unwrap();
    let manager = ConnectionManager::new(format!("postgres://{user}:secret@{rest}"));
    Pool::builder().max_size(connections).build(manager).unwrap()
}

/// Creates a table `t` with two partitions and one row in each, and a function for triggers that write their names to
/// the row.
fn partitioned(db: &TestDatabase) {
    db.conn()
        .batch_execute(
            "create table t (id int primary key, secret text, note text default '') partition by list (id);
             create table t_1 partition of t for values in (1);
             create table t_2 partition of t for values in (2);
             create function note() returns trigger language plpgsql as
             $$ begin new.note := new.note || tg_name; return new; end $$",
        )
        .unwrap();
    for id in [1, 2] {
        let insert = format!("insert into t values ({id}, '{}')", keyring([1]).encrypt(b"x"));
        db.conn().batch_execute(&insert).unwrap();
    }
}

#[test]
fn triggers_of_a_partitioned_table_and_of_its_partitions() {
    let db = TestDatabase::new();
    partitioned(&db);
    db.conn()
        .batch_execute(
            "create trigger of_all before update on t for each row execute function note();
             create trigger of_one before update of secret on t_1 for each row execute function note();
             create trigger of_statements after update on t for each statement execute function note();
             create trigger not_of_these after update on t_2 for each statement execute function note()",
        )
        .unwrap();
    let error = task("public", "t").run(&db.pool(1)).unwrap_err();
    assert!(
        error.is_refused() && error.to_string().contains(": of_all, of_one on public.t_1, of_statements. "),
        "{error}"
    );
    assert!(task("public", "t").accept_triggers(true).run(&db.pool(1)).unwrap().is_proven());
    assert_eq!(sql::texts(&mut db.conn(), "select note from t order by id"), ["of_allof_one", "of_all"]);
}

#[test]
fn triggers_do_not_fire_for_a_session_in_the_replica_role() {
    let db = TestDatabase::new();
    db.conn()
        .batch_execute(
            "create table t (id int primary key, secret text);
             create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
             create trigger refuse before update on t for each row execute function refuse()",
        )
        .unwrap();
    let insert = format!("insert into t values (1, '{}')", keyring([1]).encrypt(b"x"));
    db.conn().batch_execute(&insert).unwrap();
    let error = task("public", "t").run(&db.pool(1)).unwrap_err();
    // This is the solution that the message offers.
    let said = error.to_string();
    let parameter = said.split('`').find(|part| part.starts_with("?options=")).unwrap();
    let manager = diesel::r2d2::ConnectionManager::<PgConnection>::new(db.url() + parameter);
    let pool = diesel::r2d2::Pool::builder().max_size(1).build(manager).unwrap();
    assert!(task("public", "t").run(&pool).unwrap().is_proven());
}

#[test]
fn a_table_with_a_rule_on_update_is_refused() {
    let db = TestDatabase::new();
    db.conn()
        .batch_execute(
            "create table t (id int primary key, secret text); create table log (id int);
             create rule log_it as on update to t do also insert into log values (new.id)",
        )
        .unwrap();
    let insert = format!("insert into t values (1, '{}')", keyring([1]).encrypt(b"x"));
    db.conn().batch_execute(&insert).unwrap();
    let error = task("public", "t").accept_triggers(true).run(&db.pool(1)).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("it has rules on UPDATE (log_it)"), "{error}");
    task("public", "t").status(&db.pool(1)).unwrap();
    db.conn().batch_execute("alter table t disable rule log_it").unwrap();
    assert!(task("public", "t").run(&db.pool(1)).unwrap().is_proven());
}

#[test]
fn the_estimate_knows_partitions_fill_factor_and_indexes() {
    let db = TestDatabase::new();
    partitioned(&db);
    let estimate = || task("public", "t").estimate(&db.pool(1)).unwrap().tables.remove(0);
    assert_eq!((estimate().rows, estimate().logged), (None, None));
    db.conn().batch_execute("analyze t").unwrap();
    let bytes = estimate().rewritten.unwrap();
    assert_eq!((estimate().rows, bytes % 8192), (Some(2), 0));
    assert!(estimate().growth > Some(bytes));
    db.conn().batch_execute("alter table t_1 set (fillfactor = 50); alter table t_2 set (fillfactor = 50)").unwrap();
    assert_eq!(estimate().growth, Some(0));
    // An index on an expression counts as an index on its column.
    db.conn().batch_execute("create index on t (upper(secret))").unwrap();
    assert!(estimate().growth > Some(0));
}

/// The transaction writes when the fence already exists. Without `pg_read_all_stats`, the server hides most details of
/// the transaction. The task does not wait for transactions of other databases.
#[test]
fn an_open_transaction_of_another_user_that_has_only_read() {
    let (db, other) = (TestDatabase::new(), TestDatabase::new());
    let (mut conn, mut elsewhere) = (db.conn(), other.conn());
    elsewhere.batch_execute("create table t (id bigint); begin; insert into t values (1)").unwrap();
    let user = format!("{}_task", crate::support::unique_name());
    conn.batch_execute(&format!(
        "create table t (id bigint primary key, secret text);
         create role {user} login password 'secret';
         grant select, update on t to {user}"
    ))
    .unwrap();
    let pool = pool_of(&db, &user, 2);
    let process: i32 = diesel::select(backend_pid()).get_result(&mut conn).unwrap();
    for (id, isolation) in [(1, "read committed"), (2, "repeatable read")] {
        conn.batch_execute(&format!("begin isolation level {isolation}; select secret from t")).unwrap();
        let report = traps::task().stateless(true).fence_timeout(Duration::ZERO).run(&pool).unwrap();
        let Some(Doubt::Open(open)) = report.doubt() else { panic!("{:?}", report.doubt()) };
        let (start, end) = (format!("process {process} of "), ", which has only read so far");
        assert!(open.len() == 1 && open[0].starts_with(&start) && open[0].ends_with(end), "{open:?}");

        let mut is_open = true;
        let observer = |progress: &Progress| {
            if progress.waits_for.as_ref().is_some_and(|reason| reason.contains(&format!("process {process} ")))
                && std::mem::take(&mut is_open)
            {
                traps::insert(&mut conn, id, 1);
                conn.batch_execute("commit").unwrap();
            }
        };
        let report = traps::task().stateless(true).on_progress(observer).run(&pool).unwrap();
        assert_eq!((report.columns()[0].rewritten, report.columns()[0].current), (1, id as u64));
    }
    drop(pool);
    conn.batch_execute(&format!("drop owned by {user}; drop role {user}")).unwrap();
}

diesel::define_sql_function! {
    #[sql_name = "pg_backend_pid"]
    fn backend_pid() -> Integer;
}

/// A prepared transaction belongs to no connection.
#[test]
fn an_old_token_in_a_prepared_transaction() {
    let server = PrivateServer::postgres(&["max_prepared_transactions=1"]);
    let pool =
        Pool::builder().max_size(3).build(ConnectionManager::<PgConnection>::new(server.url("postgres"))).unwrap();
    let conn = &mut pool.get().unwrap();
    conn.batch_execute("create table t (id bigint primary key, secret text)").unwrap();
    conn.batch_execute("begin").unwrap();
    traps::insert(conn, 1, 1);
    conn.batch_execute("prepare transaction 'the first half'").unwrap();
    let report = traps::task().fence_timeout(Duration::ZERO).run(&pool).unwrap();
    let Some(Doubt::Open(open)) = report.doubt() else { panic!("{:?}", report.doubt()) };
    assert!(open[0].starts_with("the prepared transaction the first half, since "), "{open:?}");
    conn.batch_execute("commit prepared 'the first half'").unwrap();
    let report = traps::task().run(&pool).unwrap();
    assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Proven, 1));

    // This transaction had written nothing when the wait began. When the wait ends, it belongs to no connection.
    conn.batch_execute("begin; select secret from t").unwrap();
    let mut is_open = true;
    let observer = |progress: &Progress| {
        if progress.waits_for.is_some() && std::mem::take(&mut is_open) {
            traps::insert(conn, 2, 1);
            conn.batch_execute("prepare transaction 'the second half'").unwrap();
        }
    };
    let task = traps::task().fence_timeout(Duration::from_secs(2)).on_progress(observer);
    let report = task.run(&pool).unwrap();
    let Some(Doubt::Open(open)) = report.doubt() else { panic!("{:?}", report.doubt()) };
    assert!(open[0].starts_with("the prepared transaction the second half, since "), "{open:?}");
    pool.get().unwrap().batch_execute("commit prepared 'the second half'").unwrap();
    assert_eq!(traps::task().run(&pool).unwrap().columns()[0].rewritten, 1);
}
