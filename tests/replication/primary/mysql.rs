//! MySQL and MariaDB: read-only servers, replicas.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::{program, reencrypt, retire, states, table};
use crate::support::private_server::{PASSWORD, PrivateServer};
use crate::support::proxy::Proxy;
use crate::support::runner::{NOT_PROVEN, PROVEN, REFUSED};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn execute(server: &PrivateServer, sql: &str) {
    MysqlConnection::establish(&server.url("mysql")).unwrap().batch_execute(sql).unwrap();
}

fn with_table(options: &[&str]) -> PrivateServer {
    let server = PrivateServer::mysql(options);
    execute(&server, &format!("create database app; use app; {}", table()));
    server
}

/// The user of this test may write in spite of the setting, which shows that the primary is elsewhere.
#[test]
fn a_server_or_a_session_that_only_reads() {
    let server = with_table(&[]);
    let url = server.url("app");
    execute(&server, "set global read_only = 1");
    let seen = "a read-only server: read_only is ON";
    reencrypt(&url).exits_with(REFUSED).says("nothing can be written here: ").says(seen);
    states(&program(&["status"], &url).exits_with(NOT_PROVEN), seen);
    execute(&server, "truncate app.people");
    states(&retire(&url).exits_with(NOT_PROVEN), seen);
    execute(&server, "set global read_only = 0");
    retire(&url).exits_with(PROVEN);

    let setting = if std::env::var("MYSQLD").is_ok() { "transaction_read_only" } else { "tx_read_only" };
    execute(&server, &format!("set global {setting} = 1"));
    reencrypt(&url).exits_with(REFUSED).says("transaction_read_only is ON");
    // Such a session sees all transactions.
    retire(&url).exits_with(PROVEN);
}

#[test]
fn two_servers_behind_one_address() {
    let servers = [with_table(&[]), with_table(&[])];
    let [first, second] = [0, 1].map(|index| servers[index].url("app"));
    let spread = Proxy::spreading([&first, &second]);
    reencrypt(&spread.url())
        .exits_with(REFUSED)
        .says("the connections lead to different servers: one leads to the server ");
}

/// A replica that accepts writes looks like a primary.
#[test]
fn a_replica_that_accepts_writes() {
    if std::env::var("MYSQLD").is_ok() {
        return; // MySQL has other words for it.
    }
    let primary = PrivateServer::mysql(&["--log-bin", "--server-id=1"]);
    let replica = PrivateServer::mysql(&["--server-id=2"]);
    let source = format!(
        "change master to master_use_gtid = slave_pos, master_host = '127.0.0.1', master_port = {}, \
         master_user = 'diesel_encrypted', master_password = '{PASSWORD}'; start slave",
        primary.port()
    );
    execute(&replica, &source);
    execute(&primary, &format!("create database app; use app; {}", table()));
    let deadline = Instant::now() + Duration::from_secs(60);
    let rows = || -> QueryResult<i64> {
        let mut conn = MysqlConnection::establish(&replica.url("mysql")).unwrap();
        diesel::sql_query("select count(*) as n from app.people").get_result::<Count>(&mut conn).map(|count| count.n)
    };
    while rows() != Ok(30) {
        assert!(Instant::now() < deadline, "the replica does not follow");
        thread::sleep(Duration::from_millis(20));
    }
    let account = format!(
        "set sql_log_bin = 0; create user limited@'127.0.0.1' identified by '{PASSWORD}'; \
         grant process on *.* to limited@'127.0.0.1'; grant all on app.* to limited@'127.0.0.1'"
    );
    execute(&replica, &account);
    // The second user may not see the channel, but its threads.
    for url in [replica.url("app"), replica.url_as("limited", "app")] {
        states(&reencrypt(&url).exits_with(NOT_PROVEN), "it replicates from another server");
        states(&retire(&url).exits_with(NOT_PROVEN), "it replicates from another server");
    }
    execute(&replica, "stop slave; reset slave all");
    retire(&replica.url("app")).exits_with(PROVEN);
}

/// The task does its job, but claims no proof.
#[test]
fn a_product_that_is_not_known() {
    let server = with_table(&["--version=10.11.6-MariaDB-Somebodys"]);
    let run = reencrypt(&server.url("app")).exits_with(NOT_PROVEN);
    states(&run, "30 under the primary key");
    states(&run, "the server is 10.11.6-MariaDB-Somebodys (");
    states(&retire(&server.url("app")).exits_with(NOT_PROVEN), "which is not known to show every open transaction");
}
