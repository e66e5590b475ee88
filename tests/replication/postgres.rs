//! PostgreSQL: replicas that are connected, and replicas by their URL.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::private_server::{PrivateServer, postgres_program};
use crate::proxy::Proxy;
use crate::running::Keys;

/// Tells often how far it is, so that an idle replica is known as one soon.
const REPLICA: [&str; 1] = ["wal_receiver_status_interval=1s"];

/// A user without any rights.
const STRANGER: &str = "create role stranger login password 'pass@word'";

fn conn(server: &PrivateServer) -> PgConnection {
    PgConnection::establish(&server.url("postgres")).unwrap()
}

/// Waits until this query says so.
fn until(server: &PrivateServer, query: &str) {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        is_so: bool,
    }
    let conn = &mut conn(server);
    while !diesel::sql_query(format!("select ({query}) as is_so")).get_result::<Answer>(conn).unwrap().is_so {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_replica_that_falls_behind() {
    let primary = PrivateServer::postgres(&[]);
    let replica = PrivateServer::postgres_replica(&primary, &REPLICA);
    conn(&primary).batch_execute(STRANGER).unwrap();
    let keys = Keys::new();
    let make_table = || conn(&primary).batch_execute(&keys.table()).unwrap();
    let start = |limit: &dyn Fn(_) -> _| {
        keys.start::<PgConnection>(&primary.url("postgres"), |task| limit(task.batch_size(10)))
    };
    let second = Duration::from_secs(1);

    make_table();
    // An idle replica has a lag of NULL: that is none.
    let is_idle = "select count(*) = 1 from pg_stat_replication where replay_lag is null and replay_lsn is not null";
    until(&primary, is_idle);
    start(&|task| task.max_lag(second)).proves_it();

    make_table();
    let running = start(&|task| task.max_lag(second).max_rows_per_second(100));
    running.until(|progress| progress.rewritten > 0);
    conn(&replica).batch_execute("select pg_wal_replay_pause()").unwrap();
    let held = running.stays_held("replica 127.0.0.1 is ");
    assert!(held.waits_for.as_ref().unwrap().ends_with(" s behind, more than 1 s"), "{held:?}");

    start(&|task| task.max_lag_bytes(20_000)).held_from_the_start(" KiB behind, more than 19.5 KiB");
    // Of a replica itself everybody may ask.
    let by_url = start(&|task| task.max_lag(second).replicas([replica.url_as("stranger", "postgres")]));
    by_url.held_from_the_start(&format!("replica {} is ", replica.address()));

    conn(&replica).batch_execute("select pg_wal_replay_resume()").unwrap();
    running.goes_on_from(&held);
}

#[test]
fn a_replica_that_goes_away_and_comes_back() {
    let primary = PrivateServer::postgres(&[]);
    conn(&primary).batch_execute(STRANGER).unwrap();
    let keys = Keys::new();
    conn(&primary).batch_execute(&keys.table()).unwrap();
    let start = |url: &str| {
        keys.start::<PgConnection>(url, |task| {
            task.batch_size(10).max_rows_per_second(100).max_lag(Duration::from_secs(2))
        })
    };
    let url = primary.url("postgres");
    start(&url).held_from_the_start("the lag of the replicas is unknown: no replica is connected");

    let mut replica = PrivateServer::postgres_replica(&primary, &REPLICA);
    until(&primary, "select count(*) = 1 from pg_stat_replication where replay_lsn is not null");
    // The tables of the task are there since the first run.
    let rights = "grant select, update on people to stranger; grant select, insert, update, delete on \
                  __diesel_encrypted_run, __diesel_encrypted_chunk, __diesel_encrypted_problem to stranger";
    conn(&primary).batch_execute(rights).unwrap();
    let stranger = start(&primary.url_as("stranger", "postgres"));
    stranger.held_from_the_start("the lag of replica walreceiver is unknown: the server does not show its position");

    // Who keeps the log and never replays it is no replica.
    let _archive = Archive::new(&primary);
    until(&primary, "select count(*) = 2 from pg_stat_replication where write_lsn is not null");
    let running = start(&url);
    running.until(|progress| progress.rewritten > 0);
    replica.stop();
    let held = running.stays_held("the lag of replica 127.0.0.1 is unknown: it is not connected any more");
    replica.start();
    running.goes_on_from(&held);
}

#[test]
fn replicas_that_do_not_tell() {
    let primary = PrivateServer::postgres(&[]);
    let keys = Keys::new();
    conn(&primary).batch_execute(&keys.table()).unwrap();
    let start = |replica: &str| {
        keys.start::<PgConnection>(&primary.url("postgres"), |task| task.replicas([replica.to_owned()]))
    };

    start(&primary.url("postgres")).held_from_the_start("is unknown: it is not a replica");
    start(&primary.url_as("nobody", "postgres")).held_from_the_start("password authentication failed");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = primary.url("postgres").replace(&primary.address(), &closed.to_string());
    start(&refused).held_from_the_start("Connection refused");
    let silent = Proxy::to(&primary.url("postgres"));
    silent.stall();
    start(&silent.url()).held_from_the_start("is unknown: it has not answered yet");

    // It answered once, and keeps silent since.
    let replica = PrivateServer::postgres_replica(&primary, &REPLICA);
    let silent = Proxy::to(&replica.url("postgres"));
    let running = keys.start::<PgConnection>(&primary.url("postgres"), |task| {
        task.batch_size(10).max_rows_per_second(50).replicas([silent.url()])
    });
    running.until(|progress| progress.rewritten > 0);
    silent.stall();
    let held = running.stays_held("is unknown: it has not answered for ");
    silent.go_on();
    running.goes_on_from(&held);
}

/// `pg_receivewal`
struct Archive {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Archive {
    fn new(primary: &PrivateServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(postgres_program("pg_receivewal"));
        command.arg("-D").arg(folder.path()).arg("-d").arg(primary.url("postgres")).stdout(Stdio::null());
        Self { child: command.spawn().unwrap(), _folder: folder }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
