//! PostgreSQL: connected replicas, and replicas that are named by their URLs.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::running::Keys;
use crate::support::private_server::{PrivateServer, postgres_program};
use crate::support::proxy::Proxy;

/// The replica reports its position often, so that the primary soon knows that it is idle.
const REPLICA: [&str; 1] = ["wal_receiver_status_interval=1s"];

/// A user without privileges.
const STRANGER: &str = "create role stranger login password 'pass@word'";

fn conn(server: &PrivateServer) -> PgConnection {
    PgConnection::establish(&server.url("postgres")).unwrap()
}

/// Waits until this condition is true.
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
    // The lag of an idle replica is NULL, which means that there is none.
    let is_idle = "select count(*) = 1 from pg_stat_replication where replay_lag is null and replay_lsn is not null";
    until(&primary, is_idle);
    start(&|task| task.max_lag(second)).ends_with_a_proof();

    make_table();
    let running = start(&|task| task.max_lag(second).max_rows_per_second(100));
    running.until(|progress| progress.rewritten > 0);
    conn(&replica).batch_execute("select pg_wal_replay_pause()").unwrap();
    let paused = running.stays_paused("replica 127.0.0.1 is ");
    assert!(paused.waits_for.as_ref().unwrap().ends_with(" s behind, more than 1 s"), "{paused:?}");

    start(&|task| task.max_lag_bytes(20_000)).stays_paused_from_the_start(" KiB behind, more than 19.5 KiB");
    // Every user may query the lag on the replica itself.
    let by_url = start(&|task| task.max_lag(second).replicas([replica.url_as("stranger", "postgres")]));
    by_url.stays_paused_from_the_start(&format!("replica {} is ", replica.address()));

    conn(&replica).batch_execute("select pg_wal_replay_resume()").unwrap();
    running.continues_from(&paused);
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
    start(&url).stays_paused_from_the_start("the lag of the replicas is unknown: no replica is connected");

    let mut replica = PrivateServer::postgres_replica(&primary, &REPLICA);
    until(&primary, "select count(*) = 1 from pg_stat_replication where replay_lsn is not null");
    // The first run created the tables of the task.
    let rights = "grant select, update on people to stranger; grant select, insert, update, delete on \
                  __diesel_encrypted_run, __diesel_encrypted_chunk, __diesel_encrypted_problem to stranger";
    conn(&primary).batch_execute(rights).unwrap();
    let stranger = start(&primary.url_as("stranger", "postgres"));
    stranger.stays_paused_from_the_start(
        "the lag of replica walreceiver is unknown: the server does not show its position",
    );

    // A program that only archives the log is not a replica.
    let _archive = Archive::new(&primary);
    until(&primary, "select count(*) = 2 from pg_stat_replication where write_lsn is not null");
    let running = start(&url);
    running.until(|progress| progress.rewritten > 0);
    replica.stop();
    let paused = running.stays_paused("the lag of replica 127.0.0.1 is unknown: it is not connected any more");
    replica.start();
    running.continues_from(&paused);
}

#[test]
fn replicas_that_do_not_answer() {
    let primary = PrivateServer::postgres(&[]);
    let keys = Keys::new();
    conn(&primary).batch_execute(&keys.table()).unwrap();
    let start = |replica: &str| {
        keys.start::<PgConnection>(&primary.url("postgres"), |task| task.replicas([replica.to_owned()]))
    };

    start(&primary.url("postgres")).stays_paused_from_the_start("is unknown: it is not a replica");
    start(&primary.url_as("nobody", "postgres")).stays_paused_from_the_start("password authentication failed");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = primary.url("postgres").replace(&primary.address(), &closed.to_string());
    start(&refused).stays_paused_from_the_start("Connection refused");
    let silent = Proxy::to(&primary.url("postgres"));
    silent.stall();
    start(&silent.url()).stays_paused_from_the_start("is unknown: it has not answered yet");

    // This replica answers once, and then no more.
    let replica = PrivateServer::postgres_replica(&primary, &REPLICA);
    let silent = Proxy::to(&replica.url("postgres"));
    let running = keys.start::<PgConnection>(&primary.url("postgres"), |task| {
        task.batch_size(10).max_rows_per_second(50).replicas([silent.url()])
    });
    running.until(|progress| progress.rewritten > 0);
    silent.stall();
    let paused = running.stays_paused("is unknown: it has not answered for ");
    silent.resume();
    running.continues_from(&paused);
}

/// A running `pg_receivewal`.
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
