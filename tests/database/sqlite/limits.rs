//! Limits that cannot be kept, because SQLite has no replicas.

use crate::suite::program::vault::Vault;

#[test]
fn a_lag_of_replicas_that_do_not_exist() {
    let vault = Vault::sealed(1, 1..=5);
    for limit in [&["--max-lag", "5"][..], &["--max-lag-bytes", "1G"], &["--replica", "postgres://localhost/app"]] {
        let run = vault.program(&["reencrypt"], &[2, 1]).args(limit.iter().copied()).exits_with(5);
        run.says("this database has no replicas: leave out the limits of their lag");
    }
    vault.assert_readable(&[1], 5);
    // A blank variable names no replica.
    vault.program(&["reencrypt"], &[2, 1]).set("DB_REPLICA_URLS", " ").exits_with(0);
}
