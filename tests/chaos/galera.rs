//! The chaos test on a cluster of two nodes. Half of the application writes at one, and half at the other.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/mysql_sessions.rs"]
mod mysql_sessions;
mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use crate::support::private_server::PrivateServer;

fn main() -> ExitCode {
    if std::env::var("MYSQLD").is_ok() || !run::CHAOS.is_selected("galera") {
        return ExitCode::SUCCESS; // Galera is for MariaDB.
    }
    let nodes = PrivateServer::galera(2, backend::wait_for);
    backend::URLS.set(nodes.iter().map(|node| node.url("mysql")).collect()).unwrap();
    run::CHAOS.main("galera")
}

/// The database, and how to end its sessions.
mod backend {
    use std::sync::OnceLock;
    use std::thread;
    use std::time::Duration;

    use diesel::QueryResult;
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;

    pub use crate::mysql_sessions::*;
    pub use crate::support::mysql::*;
    use crate::support::private_server::PrivateServer;

    /// The nodes are servers of their own. No node is restarted.
    pub const SERVER: Option<&str> = Some("galera");
    pub const SHUTDOWN: &str = "KILL";
    pub const SPLIT_TABLE: Option<&str> = None;
    /// The nodes.
    pub static URLS: OnceLock<Vec<String>> = OnceLock::new();

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }

    /// Waits until a node has the data of the cluster.
    pub fn wait_for(node: &PrivateServer) {
        let sql = "select count(*) as n from information_schema.global_status \
                   where variable_name = 'wsrep_local_state_comment' and variable_value = 'Synced'";
        let is_synced = || -> Result<bool, Box<dyn std::error::Error>> {
            Ok(diesel::sql_query(sql).get_result::<Count>(&mut Conn::establish(&node.url("mysql"))?)?.n == 1)
        };
        while !is_synced().is_ok_and(|synced| synced) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn database() -> TestDatabase {
        TestDatabase::on(URLS.get().unwrap()[0].clone())
    }

    /// The URLs of the database on the other nodes of a cluster.
    pub fn other_nodes(db: &TestDatabase) -> Vec<String> {
        let url = db.url();
        let (_, name) = url.rsplit_once('/').unwrap();
        let others = &URLS.get().unwrap()[1..];
        others.iter().map(|url| format!("{}/{name}", url.rsplit_once('/').unwrap().0)).collect()
    }

    /// Changes no schema. A change would end the open transactions of every node, and the checker would not know.
    pub fn replace_table(_: &mut Conn) -> QueryResult<()> {
        Err(diesel::result::Error::NotFound)
    }
}
