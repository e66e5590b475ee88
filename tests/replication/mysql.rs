//! MySQL and MariaDB: replicas that are named by their URLs.

use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::running::Keys;
use crate::support::private_server::{PASSWORD, PrivateServer};

/// Rows a second. A run takes long enough to be paused.
const SLOW: u64 = 100;

fn execute(server: &PrivateServer, sql: &str) {
    MysqlConnection::establish(&server.url("mysql")).unwrap().batch_execute(sql).unwrap();
}

/// The words in which MySQL and MariaDB differ.
struct Words {
    options: &'static [&'static str],
    grant: &'static str,
    stop: &'static str,
    source: &'static str,
    delay: &'static str,
    start: &'static str,
    stop_applier: &'static str,
    start_applier: &'static str,
}

const MARIADB: Words = Words {
    options: &[],
    grant: "grant slave monitor on *.*",
    stop: "stop slave",
    source: "change master to master_use_gtid = slave_pos, master_host = '127.0.0.1', master_port = PORT,
             master_user = 'diesel_encrypted', master_password",
    delay: "master_delay",
    start: "start slave",
    stop_applier: "stop slave sql_thread",
    start_applier: "start slave sql_thread",
};

const MYSQL: Words = Words {
    options: &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
    grant: "grant select on performance_schema.*",
    stop: "stop replica",
    source: "change replication source to source_auto_position = 1, get_source_public_key = 1,
             source_host = '127.0.0.1', source_port = PORT, source_user = 'diesel_encrypted', source_password",
    delay: "source_delay",
    start: "start replica",
    stop_applier: "stop replica sql_thread",
    start_applier: "start replica sql_thread",
};

#[test]
fn a_replica_that_stops_and_one_that_falls_behind() {
    let words = if std::env::var("MYSQLD").is_ok() { MYSQL } else { MARIADB };
    let (primary, replica) = thread::scope(|scope| {
        let primary = scope.spawn(|| PrivateServer::mysql(&[&["--log-bin", "--server-id=1"], words.options].concat()));
        let replica = scope.spawn(|| PrivateServer::mysql(&[&["--server-id=2"], words.options].concat()));
        (primary.join().unwrap(), replica.join().unwrap())
    });
    execute(&primary, "create database app");
    for server in [&primary, &replica] {
        let account = format!("create user watcher@'127.0.0.1' identified by '{PASSWORD}'");
        execute(server, &format!("set sql_log_bin = 0; {account}; {} to watcher@'127.0.0.1'", words.grant));
    }
    let keys = Keys::new();
    let start = |replica: &PrivateServer, rows_per_second| {
        execute(&primary, &format!("use app; {}", keys.table()));
        let urls = [replica.url_as("watcher", "")];
        keys.start::<MysqlConnection>(&primary.url("app"), |task| {
            task.batch_size(10).max_rows_per_second(rows_per_second).max_lag(Duration::from_secs(1)).replicas(urls)
        })
    };
    start(&primary, SLOW).stays_paused_from_the_start("is unknown: it is not a replica");

    let source = words.source.replace("PORT", &primary.port().to_string());
    let follow = |delay: u32| {
        let follow = format!("{source} = '{PASSWORD}', {} = {delay}", words.delay);
        execute(&replica, &format!("{}; {follow}; {}", words.stop, words.start));
    };
    follow(0);
    start(&replica, 1_000_000).ends_with_a_proof();

    let running = start(&replica, SLOW);
    running.until(|progress| progress.rewritten > 0);
    execute(&replica, words.stop_applier);
    let paused = running.stays_paused("is unknown: its replication does not run (receiving: Yes, applying: No)");
    execute(&replica, words.start_applier);
    running.continues_from(&paused);

    follow(3600);
    let running = start(&replica, SLOW);
    let paused = running.until_paused(" s behind, more than 1 s");
    assert!(
        paused.waits_for.as_ref().unwrap().starts_with(&format!("replica {} is ", replica.address())),
        "{paused:?}"
    );
    follow(0);
    running.continues_from(&paused);
}
