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

/// libpq would quote the whole URL, and the task would wait for a lag that nobody can tell.
#[test]
fn a_replica_of_another_kind() {
    let vault = Vault::sealed(1, 1..=5);
    for url in ["mysql://scott:tiger@10.0.0.7/app", "mariadb://scott:tiger@10.0.0.7/app", "https://scott:tiger@x/"] {
        let program =
            |variable: &str| vault.program(&["reencrypt"], &[2, 1]).set(variable, url).secrets(["tiger"]).exits_with(5);
        program("DB_REPLICA_URLS").says(
            "the URL of replica 1 has not the scheme of this database: postgres:// or postgresql://. A replica is a \
             server of the same kind",
        );
        program("DB_NODE_URLS").says("the URL of node 1 is not of the form scheme://user:password@host:port/database");
    }
    for arguments in [["--replica", "mysql://scott:tiger@10.0.0.7/app"], ["--node", "mysql://scott:tiger@10.0.0.7/app"]]
    {
        let (option, url) = (arguments[0], arguments[1]);
        let run = vault.bare_program(&["reencrypt", "--column=vault.secret", &format!("{option}={url}")], &[2, 1]);
        let run = run.exits_with(5);
        assert!(!run.stderr.contains("tiger"), "{run:?}");
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
