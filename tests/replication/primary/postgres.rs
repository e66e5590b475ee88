//! PostgreSQL: standbys, copies, subscribers.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::sql_types::Bool;
use diesel_encrypted::reencrypt::{Progress, Task};

use super::{program, reencrypt, retire, states, table};
use crate::support::keys::{NEW, OLD, keyring};
use crate::support::private_server::PrivateServer;
use crate::support::proxy::Proxy;
use crate::support::runner::{NOT_PROVEN, PROVEN, REFUSED};

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    is_so: bool,
}

fn execute(server: &PrivateServer, sql: &str) {
    PgConnection::establish(&server.url("postgres")).unwrap().batch_execute(sql).unwrap();
}

/// Waits until this condition is true.
fn until(server: &PrivateServer, condition: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let holds = || -> QueryResult<bool> {
        let mut conn = PgConnection::establish(&server.url("postgres")).unwrap();
        diesel::sql_query(format!("select ({condition}) as is_so")).get_result::<Answer>(&mut conn).map(|row| row.is_so)
    };
    while !matches!(holds(), Ok(true)) {
        assert!(Instant::now() < deadline, "{condition}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_standby_and_a_copy() {
    let primary = PrivateServer::postgres(&[]);
    execute(&primary, &table());
    let standby = PrivateServer::postgres_replica(&primary, &[]);
    until(&standby, "(select count(*) from people) = 30");

    let url = standby.url("postgres");
    let seen = "a standby: pg_is_in_recovery() is true";
    reencrypt(&url).exits_with(REFUSED).says("nothing can be written here: ").says(seen);
    states(&retire(&url).exits_with(NOT_PROVEN), "30 of 30 values");
    let run = program(&["status"], &url).exits_with(NOT_PROVEN);
    states(&run, seen);

    // The two have one identifier. Only one of them recovers.
    let spread = Proxy::spreading([&url, &primary.url("postgres")]);
    reencrypt(&spread.url()).exits_with(REFUSED).says("the connections lead to different servers: ").says(seen);

    // On the primary, the same commands work.
    reencrypt(&primary.url("postgres")).exits_with(PROVEN);
    until(&standby, "pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()");
    states(&retire(&url).exits_with(NOT_PROVEN), seen);
    retire(&primary.url("postgres")).exits_with(PROVEN);

    // After a promotion there are two primaries with one identifier.
    execute(&standby, "select pg_promote()");
    until(&standby, "not pg_is_in_recovery()");
    retire(&url).exits_with(PROVEN);

    // The fence begins on one of them, and would end on the other one.
    let mut open = Some(PgConnection::establish(&primary.url("postgres")).unwrap());
    let token = keyring([OLD]).encrypt(b"value");
    let insert = format!("begin; insert into people values (31, '{token}')");
    open.as_mut().unwrap().batch_execute(&insert).unwrap();
    let proxy = Proxy::to(&primary.url("postgres"));
    let pool = Pool::builder().max_size(2).build(ConnectionManager::<PgConnection>::new(proxy.url())).unwrap();
    let fail_over = |progress: &Progress| {
        if progress.waits_for.is_some() && open.take().is_some() {
            proxy.fail_over_to(&url);
        }
    };
    let task = Task::new(keyring([NEW, OLD])).target("people.secret".parse().unwrap()).on_progress(fail_over);
    let status = task.prove(&pool).unwrap();
    assert!(open.is_none(), "the fence did not wait");
    let doubt = status.doubt.unwrap().to_string();
    assert!(doubt.starts_with("the server was restarted, or its connections lead to a copy of it, while"), "{doubt}");
}

#[test]
fn two_servers_behind_one_address() {
    let servers = [PrivateServer::postgres(&[]), PrivateServer::postgres(&[])];
    servers.iter().for_each(|server| execute(server, &table()));
    let [first, second] = [0, 1].map(|index| servers[index].url("postgres"));
    let spread = Proxy::spreading([&first, &second]);
    reencrypt(&spread.url())
        .exits_with(REFUSED)
        .says("the connections lead to different servers: one leads to the system ");
}

#[test]
fn a_session_that_only_reads() {
    let server = PrivateServer::postgres(&[]);
    let role = "create role reader login password 'pass@word'; grant all on people to reader; \
                alter role reader set default_transaction_read_only = on";
    execute(&server, &format!("{}; {role}", table()));
    let url = server.url_as("reader", "postgres");
    reencrypt(&url).exits_with(REFUSED).says("default_transaction_read_only is on");
    // Such a session sees all transactions.
    execute(&server, "truncate people");
    retire(&url).exits_with(PROVEN);
}

#[test]
fn a_table_that_a_subscription_writes() {
    let publisher = PrivateServer::postgres(&["wal_level=logical"]);
    let subscriber = PrivateServer::postgres(&[]);
    execute(&publisher, &format!("{}; create publication everything for all tables", table()));
    execute(&subscriber, "create table people (id bigint primary key, secret text not null)");
    let source =
        format!("host=127.0.0.1 port={} user=diesel_encrypted password=pass@word dbname=postgres", publisher.port());
    execute(&subscriber, &format!("create subscription feed connection '{source}' publication everything"));
    until(&subscriber, "(select count(*) from people) = 30");
    let url = subscriber.url("postgres");
    let seen = "the subscription \"feed\" writes to public.people";
    states(&reencrypt(&url).exits_with(NOT_PROVEN), seen);
    states(&retire(&url).exits_with(NOT_PROVEN), seen);
    execute(&subscriber, "alter subscription feed disable");
    retire(&url).exits_with(PROVEN);
    // Dropping it lets the publisher stop.
    execute(&subscriber, "drop subscription feed");
}

/// The task does its job, but claims no proof.
#[test]
fn a_product_that_is_not_known() {
    let server = PrivateServer::postgres(&[]);
    execute(&server, &table());
    let disguised = Proxy::disguising(&server.url("postgres"), "PostgreSQL ", "Postgress3 ");
    let run = reencrypt(&disguised.url()).exits_with(NOT_PROVEN);
    states(&run, "30 under the primary key");
    states(&run, "the server is Postgress3 ");
    states(&retire(&disguised.url()).exits_with(NOT_PROVEN), "the server is Postgress3 ");
    retire(&server.url("postgres")).exits_with(PROVEN);
}
