//! A Galera cluster: every node can write, and shows the transactions of its own sessions only.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::sql_types::{BigInt, Text};
use diesel_encrypted::reencrypt::{Doubt, Progress, Report, Task};

use crate::support::keys::{NEW, OLD, key, keyring};
use crate::support::private_server::{PASSWORD, PrivateServer};
use crate::support::runner::{NOT_PROVEN, PROVEN, Program, REFUSED, Run};

const ROWS: u32 = 500;

/// Three nodes with a table of values under the old key.
struct Cluster {
    nodes: Vec<PrivateServer>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Secret {
    #[diesel(sql_type = Text)]
    secret: String,
}

impl Cluster {
    fn new() -> Self {
        let this =
            Self { nodes: PrivateServer::galera(3, |node| wait_for(node, "wsrep_local_state_comment", "Synced")) };
        let sql = format!(
            "create database app; \
             create table app.people (id bigint primary key, secret text not null); \
             create user worker@'127.0.0.1' identified by '{PASSWORD}'; \
             grant process on *.* to worker@'127.0.0.1'; \
             grant all on app.* to worker@'127.0.0.1'; \
             create user blind@'127.0.0.1' identified by '{PASSWORD}'"
        );
        this.conn(0).batch_execute(&sql).unwrap();
        this
    }

    fn conn(&self, node: usize) -> MysqlConnection {
        MysqlConnection::establish(&self.nodes[node].url("mysql")).unwrap()
    }

    /// Puts all values under the old key, and waits until every node has them.
    fn fill(&self) {
        let rows = (1..=ROWS).map(|id| format!("({id}, '{}')", token(OLD)));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let sql = format!("delete from app.people; insert into app.people values {rows}");
        self.conn(0).batch_execute(&sql).unwrap();
        for node in 1..self.nodes.len() {
            // This waits for the other nodes.
            let wait =
                "set session wsrep_sync_wait = 1; select count(*) from app.people; set session wsrep_sync_wait = 0";
            self.conn(node).batch_execute(wait).unwrap();
        }
    }

    /// Begins a transaction that writes a value under the old key.
    fn open_transaction(&self, node: usize) -> MysqlConnection {
        let mut conn = self.conn(node);
        let insert = format!("begin; insert into app.people values ({}, '{}')", ROWS + 1, token(OLD));
        conn.batch_execute(&insert).unwrap();
        conn
    }

    fn urls(&self, nodes: &[usize]) -> Vec<String> {
        nodes.iter().map(|node| self.nodes[*node].url_as("worker", "app")).collect()
    }

    /// A command at the first node, which knows these nodes.
    fn program(&self, args: &[&str], nodes: &[String]) -> Program {
        let text = |number: u8| String::from_utf8(key(number).to_text().as_bytes().to_vec()).unwrap();
        Program::new(args)
            .args(["--column", "people.secret"])
            .keys(&[&text(NEW), &text(OLD)])
            .database(&self.nodes[0].url_as("worker", "app"))
            .set("DB_NODE_URLS", nodes.join(" "))
    }

    fn retire(&self, nodes: &[String]) -> Program {
        let old = key(OLD).fingerprint().to_string();
        self.program(&["retire", "--fence-timeout=1", &old], nodes)
    }

    /// Runs a task of the library at the first node, which knows all nodes.
    fn task(&self, observer: impl FnMut(&Progress) + Send) -> Report {
        self.task_with(self.urls(&[0, 1, 2]), observer)
    }

    fn task_with(&self, nodes: Vec<String>, observer: impl FnMut(&Progress) + Send) -> Report {
        let url = self.nodes[0].url_as("worker", "app");
        let pool = Pool::builder().max_size(3).build(ConnectionManager::<MysqlConnection>::new(url)).unwrap();
        let task = Task::new(keyring([NEW, OLD])).target("people.secret".parse().unwrap());
        task.nodes(nodes).fence_timeout(Duration::from_secs(30)).on_progress(observer).run(&pool).unwrap()
    }

    fn wait_for(&self, node: usize, name: &str, value: &str) {
        wait_for(&self.nodes[node], name, value);
    }

    fn wait_until_synced(&self, node: usize) {
        self.wait_for(node, "wsrep_local_state_comment", "Synced");
    }

    fn values_under(&self, number: u8) -> usize {
        let conn = &mut self.conn(0);
        let secrets: Vec<Secret> = diesel::sql_query("select secret from app.people").load(conn).unwrap();
        secrets.iter().filter(|row| keyring([number]).decrypt(row.secret.as_bytes()).is_ok()).count()
    }
}

/// Waits until a node shows this status.
fn wait_for(node: &PrivateServer, name: &str, value: &str) {
    let status = format!(
        "select count(*) as n from information_schema.global_status \
         where variable_name = '{name}' and variable_value = '{value}'"
    );
    let shows = || -> Result<bool, Box<dyn std::error::Error>> {
        let mut conn = MysqlConnection::establish(&node.url("mysql"))?;
        // Otherwise a node without a quorum would refuse the query.
        conn.batch_execute("set session wsrep_dirty_reads = 1")?;
        Ok(diesel::sql_query(&status).get_result::<Count>(&mut conn)?.n == 1)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !matches!(shows(), Ok(true)) {
        assert!(Instant::now() < deadline, "{} does not show {value} as its {name}", node.address());
        thread::sleep(Duration::from_millis(20));
    }
}

fn token(number: u8) -> String {
    keyring([number]).encrypt(b"value").to_string()
}

#[track_caller]
fn states(run: Run, text: &str) {
    assert!(run.stdout.contains(text), "no {text:?} in {run:#?}");
}

#[test]
fn a_proof_needs_every_node() {
    if std::env::var("MYSQLD").is_ok() {
        return; // Galera is for MariaDB.
    }
    let mut cluster = Cluster::new();
    let all = cluster.urls(&[0, 1, 2]);

    // A transaction on another node: neither the task nor `retire` may prove what it cannot see.
    cluster.fill();
    let mut open = cluster.open_transaction(1);
    let run = cluster.program(&["reencrypt"], &[]).exits_with(NOT_PROVEN).says("repeat --node with the URL of each");
    states(run, "1 of the 3 nodes of the cluster were seen");
    states(cluster.retire(&[]).exits_with(NOT_PROVEN), "1 of the 3 nodes of the cluster were seen");
    states(cluster.retire(&all[1..2]).exits_with(NOT_PROVEN), "2 of the 3 nodes of the cluster were seen");
    // Naming a node twice, or the first one, does not help.
    let twice = [all[0].clone(), all[1].clone(), all[1].clone()];
    states(cluster.retire(&twice).exits_with(NOT_PROVEN), "2 of the 3 nodes of the cluster were seen");
    let on_node = format!("on node {}, connection ", cluster.nodes[1].address());
    states(cluster.retire(&all).exits_with(NOT_PROVEN), &on_node);
    open.batch_execute("rollback").unwrap();
    cluster.retire(&all).exits_with(PROVEN);
    cluster.retire(&all[1..]).exits_with(PROVEN);

    // With all nodes, the task waits for that transaction, and finds its value.
    cluster.fill();
    let open = Mutex::new(Some(cluster.open_transaction(1)));
    let report = cluster.task(|progress| {
        if progress.waits_for.as_ref().is_some_and(|reason| reason.contains(&on_node)) {
            if let Some(mut open) = open.lock().unwrap().take() {
                open.batch_execute("commit").unwrap();
            }
        }
    });
    assert!(open.lock().unwrap().is_none(), "the task did not wait");
    assert!(report.old_keys_may_go(), "{report:?}");
    assert_eq!((cluster.values_under(OLD), cluster.values_under(NEW)), (0, ROWS as usize + 1));

    // Servers that are no nodes, and nodes that do not answer or hide their transactions.
    let alone = PrivateServer::mysql(&[]);
    let run = cluster.retire(&[all[1].clone(), all[2].clone(), alone.url("mysql")]).exits_with(REFUSED);
    run.says(&format!("the node {} is not a member of the cluster: it is in no cluster", alone.address()));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = [all[1].clone(), all[2].clone(), format!("mysql://worker:secret@{closed}/app")];
    let run = cluster.retire(&nobody).exits_with(NOT_PROVEN);
    states(run, &format!("the node {closed} cannot answer for what the cluster holds: it does not answer"));
    let blind = [all[1].clone(), cluster.nodes[2].url_as("blind", "")];
    states(cluster.retire(&blind).exits_with(NOT_PROVEN), "PROCESS privilege");
    let malformed = cluster.retire(&["mysql://user:se cret@host/app".replace(' ', "/")]).exits_with(REFUSED);
    malformed.says("the URL of node 1 is not of the form");
    drop(alone);

    // A node that lags behind on purpose.
    for node in [0, 1] {
        cluster.conn(node).batch_execute("set global wsrep_desync = on").unwrap();
        states(cluster.retire(&all).exits_with(NOT_PROVEN), "wsrep_local_state_comment is Donor/Desynced");
        states(cluster.program(&["reencrypt"], &all).exits_with(NOT_PROVEN), "Donor/Desynced");
        cluster.conn(node).batch_execute("set global wsrep_desync = off").unwrap();
        cluster.wait_until_synced(node);
    }
    cluster.retire(&all).exits_with(PROVEN);

    // A node that leaves while everything is read, and joins again.
    cluster.fill();
    let has_left = AtomicBool::new(false);
    let mut third = cluster.nodes.pop().unwrap();
    let left = Mutex::new(&mut third);
    let report = {
        let urls = all.clone();
        let stop = |progress: &Progress| {
            if progress.is_proving && progress.rows > 0 && !has_left.swap(true, Relaxed) {
                left.lock().unwrap().stop();
            }
        };
        cluster.task_with(urls, stop)
    };
    assert!(has_left.load(Relaxed));
    assert!(matches!(report.doubt(), Some(Doubt::Node(..) | Doubt::Changed(_))), "{report:?}");
    states(cluster.retire(&all).exits_with(NOT_PROVEN), "cannot answer for what the cluster holds: ");
    states(cluster.retire(&all[..2]).exits_with(NOT_PROVEN), "wsrep_cluster_address names 3 nodes, and 2 are in the");
    third.start();
    cluster.nodes.push(third);
    cluster.wait_until_synced(2);
    states(cluster.retire(&all[..2]).exits_with(NOT_PROVEN), "2 of the 3 nodes of the cluster were seen");
    cluster.retire(&all).exits_with(PROVEN);

    // A node that has lost the others keeps its transactions, and commits them when it is back.
    let isolate = |value: u8| format!("set global wsrep_provider_options = 'gmcast.isolate={value}'");
    let mut open = cluster.open_transaction(2);
    cluster.conn(2).batch_execute(&isolate(1)).unwrap();
    cluster.wait_for(0, "wsrep_cluster_size", "2");
    cluster.wait_for(2, "wsrep_cluster_status", "non-Primary");
    states(cluster.retire(&all).exits_with(NOT_PROVEN), "cannot answer for what the cluster holds: wsrep_cluster_");
    states(cluster.retire(&all[..2]).exits_with(NOT_PROVEN), "wsrep_cluster_address names 3 nodes, and 2 are in the");
    cluster.conn(2).batch_execute(&isolate(0)).unwrap();
    cluster.wait_for(2, "wsrep_local_state_comment", "Synced");
    cluster.wait_for(0, "wsrep_cluster_size", "3");
    open.batch_execute("commit").unwrap();
    let run = cluster.retire(&all).exits_with(NOT_PROVEN);
    states(run, "1 of ");
    cluster.conn(2).batch_execute(&format!("delete from app.people where id = {}", ROWS + 1)).unwrap();
    cluster.retire(&all).exits_with(PROVEN);

    // A reading waits for what other nodes have committed before.
    let mut lock = cluster.conn(0);
    lock.batch_execute("flush tables with read lock").unwrap();
    cluster.conn(1).batch_execute(&format!("insert into app.people values (0, '{}')", token(OLD))).unwrap();
    let mut running = cluster.program(&["status"], &[]).start();
    let waiting = "select count(*) as n from information_schema.processlist where info like 'START TRANSACTION%'";
    let watcher = &mut cluster.conn(0);
    running.until(|| diesel::sql_query(waiting).get_result::<Count>(watcher).unwrap().n == 1);
    lock.batch_execute("unlock tables").unwrap();
    let run = running.wait();
    assert_eq!(run.code, NOT_PROVEN, "{run:#?}");
    states(run, "1 under secondary keys");
}
