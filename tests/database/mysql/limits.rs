//! Limits that cannot be kept.

use crate::suite::program::vault::Vault;

#[test]
fn a_lag_that_is_unknown() {
    let vault = Vault::sealed(1, 1..=5);
    let refused = |args: &[&str], urls: &str, reason: &str| {
        let program = vault.program(&["reencrypt"], &[2, 1]).args(args.iter().copied());
        program.set("DB_REPLICA_URLS", urls).secrets(["tiger", "lion"]).exits_with(5).says(reason);
    };
    let nobody = "MySQL and MariaDB do not know how far their replicas are behind: name each replica by its URL";
    refused(&["--max-lag", "5"], "", nobody);
    let bytes = "MySQL and MariaDB report the lag of a replica in seconds, not in bytes: limit the seconds";
    refused(&["--max-lag-bytes", "1G"], "mysql://replica/", bytes);
    refused(&[], "mysql://replica/\nmysql://scott:tiger@lion@10.0.0.7/", "the URL of replica 2 is not of the form");
    refused(
        &[],
        "postgres://scott:tiger@10.0.0.7/app",
        "the URL of replica 1 has not the scheme of this database: mysql://.",
    );
    vault.assert_readable(&[1], 5);
}

/// The server of the tests is not a replica. After ten seconds the program reports why it waits.
#[test]
fn a_server_that_is_not_a_replica() {
    let vault = Vault::sealed(1, 1..=5);
    let url = vault.db.url().replacen("mysql://", "mariadb://", 1);
    let mut running = vault.program(&["reencrypt"], &[2, 1]).set("DB_REPLICA_URLS", url).start();
    running.until_it_says("is unknown: it is not a replica");
    running.signal("INT");
    assert_eq!(running.wait().code, 6);
    vault.assert_readable(&[1], 5);
}
