//! MariaDB: replicas by their URL.

use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::private_server::{PASSWORD, PrivateServer};
use crate::running::Keys;

/// Rows in a second, so that a run is long enough to be held.
const SLOW: u64 = 100;

fn execute(server: &PrivateServer, sql: &str) {
    MysqlConnection::establish(&server.url("mysql")).unwrap().batch_execute(sql).unwrap();
}

#[test]
fn a_replica_that_stops_and_one_that_falls_behind() {
    let (primary, replica) = thread::scope(|scope| {
        let primary = scope.spawn(|| PrivateServer::mariadb(&["--log-bin", "--server-id=1"]));
        let replica = scope.spawn(|| PrivateServer::mariadb(&["--server-id=2"]));
        (primary.join().unwrap(), replica.join().unwrap())
    });
    execute(&primary, "create database app");
    for server in [&primary, &replica] {
        let account = format!("create user watcher@'127.0.0.1' identified by '{PASSWORD}'");
        let sql = format!("set sql_log_bin = 0; {account}; grant slave monitor on *.* to watcher@'127.0.0.1'");
        execute(server, &sql);
    }
    let keys = Keys::new();
    let start = |replica: &PrivateServer, rows_per_second| {
        execute(&primary, &format!("use app; {}", keys.table()));
        let urls = [replica.url_as("watcher", "")];
        keys.start::<MysqlConnection>(&primary.url("app"), |task| {
            task.batch_size(10).max_rows_per_second(rows_per_second).max_lag(Duration::from_secs(1)).replicas(urls)
        })
    };
    start(&primary, SLOW).held_from_the_start("is unknown: it is not a replica");

    let port = primary.port();
    let follow = |delay: u32| {
        let source = format!("master_host = '127.0.0.1', master_port = {port}, master_user = 'diesel_encrypted'");
        let source = format!("{source}, master_password = '{PASSWORD}', master_use_gtid = slave_pos");
        execute(&replica, &format!("stop slave; change master to {source}, master_delay = {delay}; start slave"));
    };
    follow(0);
    start(&replica, 1_000_000).proves_it();

    let running = start(&replica, SLOW);
    running.until(|progress| progress.rewritten > 0);
    execute(&replica, "stop slave sql_thread");
    let held = running.stays_held("is unknown: its replication does not run (receiving: Yes, applying: No)");
    execute(&replica, "start slave sql_thread");
    running.goes_on_from(&held);

    follow(3600);
    let running = start(&replica, SLOW);
    let held = running.until_held(" s behind, more than 1 s");
    assert!(held.waits_for.as_ref().unwrap().starts_with(&format!("replica {} is ", replica.address())), "{held:?}");
    follow(0);
    running.goes_on_from(&held);
}
