//! Limits that cannot be kept, and replicas that do not answer.

use crate::suite::program::vault::Vault;

#[test]
fn a_url_that_could_show_its_password() {
    let vault = Vault::sealed(1, 1..=5);
    for url in ["postgres://scott:tiger@lion@10.0.0.7/app", "host=10.0.0.7 password=tiger", "scott:tiger@10.0.0.7/app"]
    {
        let program = vault.program(&["reencrypt"], &[2, 1]).set("DB_REPLICA_URLS", url).secrets(["tiger", "lion"]);
        program.exits_with(5).says("the URL of replica 1 is not of the form scheme://user:password@host:port/database");
    }
    vault.assert_readable(&[1], 5);
}

/// After ten seconds the program reports why it waits.
#[test]
fn an_unreachable_replica() {
    let vault = Vault::sealed(1, 1..=5);
    let url = "postgres://scott:tiger-and-lion@127.0.0.1:1/app";
    let mut running = vault.program(&["reencrypt"], &[2, 1]).set("DB_REPLICA_URLS", url).start();
    running.until_it_says("0 rewritten, 0 rows/s, waiting: the lag of replica 127.0.0.1:1 is unknown: ");
    running.signal("TERM");
    assert_eq!(running.wait().code, 6);
    vault.assert_readable(&[1], 5);
}
