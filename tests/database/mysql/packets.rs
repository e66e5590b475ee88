//! Values near the longest statement that the server accepts.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_encrypted::reencrypt::{Outcome, ProblemKind, Report, Task};

use crate::backend::{Conn, block_updates, unblock_updates};
use crate::suite::sql::{is_true, number};
use crate::support::keys::keyring;
use crate::support::private_server::PrivateServer;

const MIB: usize = 1 << 20;

/// A server that accepts statements of one MiB, with an empty table `t`.
fn server() -> PrivateServer {
    let server = PrivateServer::mysql(&["--max-allowed-packet=1M"]);
    let columns = "id int primary key, secret longtext character set ascii, photo longblob, note text, \
                   changed timestamp(6) not null default '2020-01-01' on update current_timestamp(6)";
    let mut conn = Conn::establish(&server.url("mysql")).unwrap();
    conn.batch_execute(&format!("create database app; create table app.t ({columns})")).unwrap();
    server
}

fn accept(server: &PrivateServer, bytes: usize) -> Conn {
    let mut conn = Conn::establish(&server.url("app")).unwrap();
    conn.batch_execute(&format!("set global max_allowed_packet = {bytes}")).unwrap();
    Conn::establish(&server.url("app")).unwrap()
}

/// Inserts a row under key 1 with a text and bytes of about these lengths, whatever the server accepts now.
fn insert(server: &PrivateServer, id: usize, secret: usize, photo: usize) {
    let mut conn = accept(server, 64 * MIB);
    let sealed = |length: usize| keyring([1]).encrypt(&vec![b'x'; length / 4 * 3]);
    let sql = "insert into t (id, secret, photo, note) values (?, ?, ?, 'n')";
    let insert = diesel::sql_query(sql).bind::<diesel::sql_types::BigInt, _>(id as i64);
    let insert = insert.bind::<diesel::sql_types::Text, _>(sealed(secret).to_string());
    insert.bind::<diesel::sql_types::Binary, _>(sealed(photo).to_string().into_bytes()).execute(&mut conn).unwrap();
}

fn run(server: &PrivateServer, columns: &[&str]) -> Report {
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(server.url("app"))).unwrap();
    let targets = columns.iter().map(|column| column.parse().unwrap());
    let task = Task::new(keyring([2, 1])).targets(targets).give_up_after(Duration::from_secs(5));
    task.run(&pool).unwrap()
}

#[test]
fn every_value_that_fits_is_written_and_the_others_are_listed() {
    let server = server();
    // A batch of these does not fit, although each row does.
    for id in 1..=40 {
        insert(&server, id, 40_000, 100);
    }
    // One value at a time; by digest; not at all; a small row behind them.
    for (id, secret, photo) in [(41, 400_000, 450_000), (42, 800_000, 900_000), (43, 2 * MIB, 100), (44, 100, 100)] {
        insert(&server, id, secret, photo);
    }
    let mut conn = accept(&server, MIB);
    let report = run(&server, &["t.secret", "t.photo"]);
    let problems: Vec<_> = report.problems().iter().map(|found| (&*found.column, &*found.row, found.kind)).collect();
    assert_eq!(problems, [("secret", "id=43", ProblemKind::TooLarge)]);
    assert_eq!(report.outcome(), Outcome::Incomplete);
    let counts: Vec<_> =
        report.columns().iter().map(|column| (column.rewritten, column.busy, column.stale())).collect();
    assert_eq!(counts, [(44, 0, 0), (43, 1, 1)]);
    assert!(is_true(&mut conn, "(select min(changed) = '2020-01-01' and max(changed) = '2020-01-01' from t)"));

    accept(&server, 8 * MIB);
    let report = run(&server, &["t.secret", "t.photo"]);
    assert_eq!((report.outcome(), report.columns()[1].rewritten), (Outcome::Proven, 1));
}

#[test]
fn a_server_that_accepts_hardly_anything() {
    let server = server();
    for id in 1..=300 {
        insert(&server, id, 100, 100);
    }
    insert(&server, 301, 20_000, 100);
    accept(&server, 16_384);
    let report = run(&server, &["t.secret", "t.photo"]);
    assert_eq!((report.outcome(), report.problems().len()), (Outcome::Incomplete, 1));
    assert_eq!(report.columns()[1].rewritten, 300);
}

/// The functions of the server return `NULL` for such a value. That is not the `NULL` of an empty cell.
#[test]
fn a_value_that_the_server_cannot_convert_does_not_pass_for_null() {
    let server = server();
    for set in ["latin1", "cp932", "utf16", "utf32"] {
        let mut conn = accept(&server, 64 * MIB);
        conn.batch_execute(&format!("alter table app.t modify secret longtext character set {set}")).unwrap();
        conn.batch_execute("truncate app.t").unwrap();
        insert(&server, 1, 100, 100);
        insert(&server, 2, 40_000, 100);
        accept(&server, 16_384);
        let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(server.url("app"))).unwrap();
        let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap());
        match task.give_up_after(Duration::from_secs(1)).run(&pool) {
            Ok(report) => {
                assert!(["latin1", "cp932"].contains(&set), "{set}: {report:?}");
                assert_eq!((report.outcome(), report.columns()[0].rewritten), (Outcome::Incomplete, 1), "{set}");
                assert_eq!(report.problems()[0].kind, ProblemKind::TooLarge, "{set}");
            }
            Err(error) => {
                assert!(set.starts_with("utf"), "{set}: {error}");
                assert!(error.to_string().contains("longer than max_allowed_packet"), "{error}");
            }
        }
    }
}

/// The digest is that of the old value, so a value that the application writes meanwhile stays.
#[test]
fn a_large_value_that_the_application_wrote_meanwhile() {
    let server = server();
    insert(&server, 1, 100, 100);
    insert(&server, 2, 800_000, 100);
    let mut application = accept(&server, MIB);
    block_updates(&mut application, 1);
    std::thread::scope(|threads| {
        let run = threads.spawn(|| run_with_triggers(&server));
        let waits = "exists (select * from information_schema.processlist where state = 'User lock')";
        while !is_true(&mut application, waits) {}
        let new = keyring([1]).encrypt(&vec![b'y'; 600_000]);
        diesel::sql_query("update t set secret = ? where id = 2")
            .bind::<diesel::sql_types::Text, _>(new.to_string())
            .execute(&mut application)
            .unwrap();
        unblock_updates(&mut application);
        let report = run.join().unwrap();
        assert_eq!((report.outcome(), report.columns()[0].raced), (Outcome::Proven, 1));
    });
    #[derive(QueryableByName)]
    struct Value {
        #[diesel(sql_type = diesel::sql_types::Text)]
        secret: String,
    }
    let value: Value = diesel::sql_query("select secret from t where id = 2").get_result(&mut application).unwrap();
    assert!(keyring([2]).decrypt(value.secret.as_bytes()).unwrap().iter().all(|byte| *byte == b'y'));
    assert_eq!(number(&mut application, "select count(*) from t"), 2);
}

fn run_with_triggers(server: &PrivateServer) -> Report {
    let pool = Pool::builder().max_size(3).build(ConnectionManager::<Conn>::new(server.url("app"))).unwrap();
    let task = Task::new(keyring([2, 1])).target("t.secret".parse().unwrap()).accept_triggers(true);
    task.give_up_after(Duration::from_secs(5)).run(&pool).unwrap()
}
