//! What a server of MySQL or MariaDB is, by its own account.

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::mysql::server::{Shown, is_of_mariadb};
use crate::database::server::identity::only_has_words;
use crate::database::{Conn, Identity, PlannedTable, ReplicationState, Server, Sql};

impl Identity for Mysql {
    /// It asks with `SHOW` only, which never waits for the other nodes of a cluster.
    fn server<C: Conn<Self>>(conn: &mut C) -> QueryResult<Server> {
        let shown = Shown::of(conn, "SHOW GLOBAL VARIABLES", NAMES)?;
        let (version, comment) = (shown.get("version"), shown.get("version_comment"));
        let stranger = (!is_known(version, comment)).then(|| format!("{version} ({comment})"));
        let read_only = READ_ONLY.iter().find(|name| !["", "OFF", "0"].contains(&shown.get(name)));
        let number = match shown.get("server_uuid") {
            "" => shown.get("server_uid"),
            uuid => uuid,
        };
        let (id, host, port) = (shown.get("server_id"), shown.get("hostname"), shown.get("port"));
        Ok(Server {
            identity: format!("the server {number} (id {id}) at {host}:{port} in {}", shown.get("datadir")),
            started: None,
            standby: read_only.map(|name| format!("a read-only server: {name} is {}", shown.get(name))),
            stranger,
        })
    }

    fn read_only<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<String>> {
        let shown = Shown::of(conn, "SHOW SESSION VARIABLES", &["tx_read_only", "transaction_read_only"])?;
        let is_on = ["tx_read_only", "transaction_read_only"].iter().any(|name| shown.get(name) == "ON");
        Ok(is_on.then(|| "transaction_read_only is ON".into()))
    }

    fn feeds<C: Conn<Self>>(conn: &mut C, _tables: &[PlannedTable]) -> QueryResult<Vec<String>> {
        let feeds = match Self::replica(conn) {
            // These channels carry the transactions of the other members of a group.
            Ok(channels) => channels.iter().filter(|channel| !channel.name.starts_with("group_replication_")).count(),
            // A missing privilege hides the channels, but not the threads that work for them.
            Err(_) => threads(conn)?,
        };
        Ok((feeds > 0).then(|| "it replicates from another server".to_owned()).into_iter().collect())
    }
}

/// The number of threads that replicate from other servers.
fn threads<C: Conn<Mysql>>(conn: &mut C) -> QueryResult<usize> {
    let status = Shown::of(conn, "SHOW GLOBAL STATUS", &["Slaves_running"])?;
    let group = Shown::of(conn, "SHOW GLOBAL VARIABLES", &["version", "group_replication_group_name"])?;
    if is_of_mariadb(group.get("version")) || !group.get("group_replication_group_name").is_empty() {
        return Ok(status.get("Slaves_running").parse().unwrap_or(0));
    }
    let threads = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE user = 'system user'";
    Ok(Sql::new(threads).first(conn)?.and_then(|count| count.parse().ok()).unwrap_or(0))
}

const NAMES: &[&str] = &[
    "version",
    "version_comment",
    "server_uuid",
    "server_uid",
    "server_id",
    "hostname",
    "port",
    "datadir",
    "read_only",
    "super_read_only",
    "innodb_read_only",
];

/// The readers of Aurora have the last one.
const READ_ONLY: [&str; 3] = ["super_read_only", "read_only", "innodb_read_only"];

/// Whether the version and its comment are those of MySQL, MariaDB, or Percona's builds. Others speak the protocol of
/// MySQL too, and say so in one of the two.
fn is_known(version: &str, comment: &str) -> bool {
    let has_number = version.split('.').take(2).all(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    let begins_with = |known: &[&str]| known.iter().any(|known| comment.starts_with(known));
    has_number
        && match is_of_mariadb(version) {
            true => only_has_words(version, MARIADB_VERSIONS) && begins_with(MARIADB_COMMENTS),
            false => only_has_words(version, MYSQL_VERSIONS) && begins_with(MYSQL_COMMENTS),
        }
}

const MARIADB_VERSIONS: &[&str] = &[
    "mariadb",
    "log",
    "debug",
    "enterprise",
    "deb",
    "u",
    "ubuntu",
    "ubu",
    "maria",
    "bpo",
    "el",
    "fc",
    "azure",
    "bullseye",
    "bookworm",
    "trixie",
    "focal",
    "jammy",
    "noble",
];
const MARIADB_COMMENTS: &[&str] = &[
    "mariadb.org binary distribution",
    "MariaDB",
    "Source distribution",
    "Debian",
    "Raspbian",
    "Ubuntu",
    "managed by https://aws.amazon.com/rds",
    "Alpine",
    "Arch",
    "Fedora",
    "FreeBSD",
    "Gentoo",
    "Homebrew",
    "openSUSE",
    "SUSE",
];
const MYSQL_VERSIONS: &[&str] =
    &["log", "debug", "commercial", "cloud", "u", "deb", "ubuntu", "google", "azure", "rds", "r", "cluster", "rc", "m"];
const MYSQL_COMMENTS: &[&str] = &[
    "MySQL Community",
    "MySQL Enterprise",
    "MySQL Cluster",
    "Source distribution",
    "Percona Server",
    "Percona XtraDB Cluster",
    "(Debian)",
    "(Ubuntu)",
    "(Google)",
    "Homebrew",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_mysql_and_mariadb_and_nothing_else() {
        for (version, comment) in [
            ("10.11.19-MariaDB-0+deb12u1", "Debian 12"),
            ("10.6.12-MariaDB-1:10.6.12+maria~ubu2004-log", "mariadb.org binary distribution"),
            ("10.6.12-7-MariaDB-enterprise-log", "MariaDB Enterprise Server"),
            ("11.4.2-MariaDB", "Source distribution"),
            ("10.6.10-MariaDB-log", "managed by https://aws.amazon.com/rds/"),
            ("8.0.36", "MySQL Community Server - GPL"),
            ("8.4.0-commercial", "MySQL Enterprise Server - Commercial"),
            ("8.0.35-0ubuntu0.22.04.1", "(Ubuntu)"),
            ("8.0.31-google", "(Google)"),
            ("8.0.35-27.1", "Percona XtraDB Cluster (GPL), Release rel27, Revision 3d68b9c, WSREP version 26.1.4.3"),
            ("5.7.44-48-log", "Percona Server (GPL), Release 48, Revision 497f936a373"),
        ] {
            assert!(is_known(version, comment), "{version} {comment}");
        }
        for (version, comment) in [
            ("8.0.11-TiDB-v7.5.0", "TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible"),
            ("8.0.11", "TiDB Server"),
            ("8.0.30-Vitess", "Version: 18.0.0 (Git revision 1f0e2e2 branch 'heads/v18.0.0')"),
            ("8.0.34-PlanetScale", "Source distribution"),
            ("5.7.32", "SingleStoreDB source distribution (compatible; MySQL Enterprise & MySQL Commercial)"),
            ("5.7.25-OceanBase-v4.2.1.0", "OceanBase 4.2.1.0"),
            ("8.0.33", "Dolt"),
            ("8.0.33", "StarRocks version 3.2.3"),
            ("10.11.6-MariaDB-TiDB", "Debian 12"),
            ("10.11.6-MariaDB", "Somebody's database"),
            ("", ""),
        ] {
            assert!(!is_known(version, comment), "{version} {comment}");
        }
    }
}
